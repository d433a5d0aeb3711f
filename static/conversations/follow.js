// The page follows new words only while the reader is at the end; otherwise a chip says that there are some.

const NEAR_PX = 48;

export class Follow {
  #scroller;
  #chip;
  #observer;
  #top = 0;
  isAtEnd = true;

  constructor({ scroller, thread, chip }) {
    this.#scroller = scroller;
    this.#chip = chip;
    scroller.addEventListener("scroll", this.#scrolled, { passive: true });
    this.#observer = new ResizeObserver(() => this.isAtEnd && this.#jump());
    this.#observer.observe(thread);
    this.#observer.observe(scroller);
  }

  disconnect() {
    this.#scroller.removeEventListener("scroll", this.#scrolled);
    this.#observer.disconnect();
  }

  /** New words have come. */
  grown() {
    if (this.isAtEnd) this.#jump();
    else if (this.#chip) this.#chip.hidden = false;
  }

  toEnd() {
    this.isAtEnd = true;
    this.#jump();
    if (this.#chip) this.#chip.hidden = true;
  }

  /** Change the thread around what is being read without moving it. `anchor()` is asked before and after. */
  keepPlace(anchor, change) {
    const before = anchor()?.getBoundingClientRect().top;
    change();
    const after = anchor();
    if (before !== undefined && after?.isConnected) this.#scroller.scrollTop += after.getBoundingClientRect().top - before;
  }

  firstVisible(elements) {
    const { top } = this.#scroller.getBoundingClientRect();
    return elements.find((element) => element.getBoundingClientRect().bottom > top);
  }

  #jump() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  /** Only who scrolls up leaves the end: what grows at the end moves it away from a reader who has not moved. */
  #scrolled = () => {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    const isNear = scrollHeight - clientHeight - scrollTop < NEAR_PX;
    this.isAtEnd = isNear || (this.isAtEnd && scrollTop >= this.#top);
    this.#top = scrollTop;
    if (this.isAtEnd && this.#chip) this.#chip.hidden = true;
  };
}
