import { Controller } from "@hotwired/stimulus";

const TYPED_MS = 700;

/** A popover with `role=menu`: opening and closing are the browser's, moving and choosing are here. */
export default class extends Controller {
  #typed = "";
  #typedAt = 0;

  connect() {
    this.element.addEventListener("toggle", this.#opened);
    this.element.addEventListener("keydown", this.#key);
    this.element.addEventListener("click", this.#clicked);
  }

  disconnect() {
    this.element.removeEventListener("toggle", this.#opened);
    this.element.removeEventListener("keydown", this.#key);
    this.element.removeEventListener("click", this.#clicked);
  }

  get #items() {
    return [...this.element.querySelectorAll('[role^="menuitem"]')].filter((item) => item.checkVisibility() && !item.disabled);
  }

  #opened = ({ newState }) => {
    for (const item of this.element.querySelectorAll('[role^="menuitem"]')) item.tabIndex = -1;
    if (newState !== "open") return this.#giveBack();
    this.#typed = "";
    if (!this.#items.includes(document.activeElement)) this.#items[0]?.focus(); // told late: somebody may have gone on by now
  };

  /** The browser gives the focus back to what opened the menu, unless that was drawn anew meanwhile. */
  #giveBack() {
    if (document.activeElement === document.body) document.getElementById(this.element.dataset.for)?.focus({ preventScroll: true });
  }

  #key = (event) => {
    const items = this.#items;
    const at = items.indexOf(document.activeElement);
    const target = {
      ArrowDown: items[(at + 1) % items.length],
      ArrowUp: items.at(at <= 0 ? -1 : at - 1),
      Home: items[0],
      End: items.at(-1),
    }[event.key];
    if (target) {
      event.preventDefault();
      target.focus();
    } else if (event.key === "Tab") {
      this.element.hidePopover();
    } else if (event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey) {
      this.#typeAhead(event.key, items, at);
    }
  };

  #typeAhead(letter, items, at) {
    const now = performance.now();
    this.#typed = now - this.#typedAt > TYPED_MS ? letter : this.#typed + letter;
    this.#typedAt = now;
    const sought = this.#typed.toLocaleLowerCase();
    const after = [...items.slice(at + 1), ...items.slice(0, at + 1)];
    after.find((item) => item.textContent.trim().toLocaleLowerCase().startsWith(sought))?.focus();
  }

  #clicked = ({ target }) => {
    const item = target.closest('[role^="menuitem"]');
    if (!item) return;
    this.element.hidePopover();
    if (item.dataset.do) this.dispatch("chosen", { prefix: "menu", detail: { do: item.dataset.do, item } });
  };
}
