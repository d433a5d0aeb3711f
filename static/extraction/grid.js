/** Where a key leads from the cell at row `y`, place `x`: [row, place], or undefined. `isSingle`: letters count. */
export function wayOf({ key, ctrlKey }, { y, x, lastRow, lastCell, isSingle }) {
  const forward = document.dir === "rtl" ? -1 : 1;
  return {
    ArrowRight: [y, x + forward],
    ArrowLeft: [y, x - forward],
    ArrowDown: [y + 1, x],
    ArrowUp: [y - 1, x],
    Home: [ctrlKey ? 0 : y, 0],
    End: [ctrlKey ? lastRow : y, lastCell],
    PageDown: [Math.min(y + 10, lastRow), x],
    PageUp: [Math.max(y - 10, 0), x],
    ...(isSingle && { j: [y + 1, x], k: [y - 1, x] }),
  }[key];
}

/** The cell at that place, or the nearest one before it that is shown. */
export function beside(cells, place) {
  return cells.slice(0, place + 1).findLast((cell) => cell.checkVisibility()) ?? cells[0];
}

/**
 * The rows that are chosen by their boxes, and the bar that says how many; without a bar nothing can be done with them. Where the page
 * shows some of many, all of them can be chosen once all boxes are: the form then goes without rows, which is all that the table shows.
 */
export class Picks {
  #element;
  #parts;
  #isEvery = false;

  constructor(element, parts) {
    this.#element = element;
    this.#parts = parts;
    element.addEventListener("change", this.changed);
    if (parts?.every) parts.bar.addEventListener("formdata", this.#sent);
  }

  disconnect() {
    this.#element.removeEventListener("change", this.changed);
    if (this.#parts?.every) this.#parts.bar.removeEventListener("formdata", this.#sent);
  }

  get #boxes() {
    return [...this.#element.querySelectorAll('.tick[name="record"]')];
  }

  all(isChosen) {
    for (const box of this.#boxes) box.checked = isChosen;
    this.changed();
  }

  none() {
    for (const box of this.#element.querySelectorAll(".tick")) box.checked = false;
    this.changed();
  }

  every() {
    this.#isEvery = true;
    this.changed();
    this.#parts.bar.querySelector('[type="button"]:not([hidden])').focus();
  }

  #sent = ({ formData }) => {
    if (this.#isEvery) formData.delete("record");
  };

  changed = () => {
    if (!this.#parts) return;
    const boxes = this.#boxes;
    for (const box of boxes) box.closest("tr")?.setAttribute("aria-selected", String(box.checked));
    const count = boxes.filter((box) => box.checked).length;
    this.#parts.bar.hidden = count === 0;
    const { every } = this.#parts;
    const isWhole = Boolean(every) && count === boxes.length;
    this.#isEvery &&= isWhole;
    this.#parts.count.textContent = this.#isEvery ? every.dataset.count : count;
    if (!every) return;
    every.hidden = !isWhole || this.#isEvery;
    for (const button of this.#parts.bar.querySelectorAll("[data-of]")) button.hidden = (button.dataset.of === "every") !== this.#isEvery;
  };
}
