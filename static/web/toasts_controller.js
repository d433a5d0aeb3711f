import { Controller } from "@hotwired/stimulus";

import { clone, slot } from "core/dom";

const SHOWN_MS = 8000;
const NEAR_PX = 16;

/** What somebody sees of a control: a hidden radio shows as its label. Boxes that scroll may have the focus, and are none. */
const controlOf = (element) => element?.closest?.("label, .toast") ?? element?.closest?.("a, button, input, select, summary, textarea") ?? null;

export default class extends Controller {
  #timers = new WeakMap();
  #pressed = null;
  #note = ({ target }) => { this.#pressed = controlOf(target)?.getBoundingClientRect() ?? null; };
  #add = ({ detail }) => this.add(detail);
  #opened = ({ target, newState }) => {
    if (newState === "open" && target !== this.element && this.element.children.length) this.#rise();
  };

  connect() {
    // Drawers, menus and dialogs lie in the browser's top layer: only what entered it later lies above them.
    this.element.popover = "manual";
    this.element.showPopover();
    addEventListener("toast", this.#add);
    addEventListener("click", this.#note, true);
    document.addEventListener("toggle", this.#opened, true);
    for (const toast of this.element.children) this.#watch(toast);
  }

  disconnect() {
    removeEventListener("toast", this.#add);
    removeEventListener("click", this.#note, true);
    document.removeEventListener("toggle", this.#opened, true);
  }

  add({ text, action }) {
    const toast = clone("t-toast");
    slot(toast, "text").textContent = text;
    if (action) {
      const button = slot(toast, "action");
      button.hidden = false;
      button.textContent = action.label;
      button.addEventListener("click", () => {
        toast.remove();
        action.run();
      });
    }
    if (!this.element.children.length) this.#rise();
    this.element.append(toast);
    this.#stepAside();
    this.#watch(toast);
  }

  dismiss({ target }) {
    target.closest(".toast").remove();
  }

  /** Above whatever opened since. Whoever is reading with the keyboard is left where they are. */
  #rise() {
    if (this.element.contains(document.activeElement)) return;
    this.element.hidePopover();
    this.element.showPopover();
  }

  /** To the other end of the page when it would lie over what was pressed, or over what has the focus. */
  #stepAside() {
    delete this.element.dataset.place;
    const box = this.element.getBoundingClientRect();
    const focused = controlOf(document.activeElement);
    const isOver = (rect) => rect && rect.left < box.right && rect.right > box.left && rect.top < box.bottom + NEAR_PX && rect.bottom > box.top - NEAR_PX;
    if (isOver(this.#pressed) || isOver(focused?.getBoundingClientRect())) this.element.dataset.place = "end";
  }

  /** It waits while somebody reads it: hovering and focus stop the clock. */
  #watch(toast) {
    const stop = () => clearTimeout(this.#timers.get(toast));
    const start = () => {
      stop();
      this.#timers.set(toast, setTimeout(() => toast.remove(), SHOWN_MS));
    };
    for (const event of ["pointerenter", "focusin"]) toast.addEventListener(event, stop);
    for (const event of ["pointerleave", "focusout"]) toast.addEventListener(event, start);
    start();
  }
}
