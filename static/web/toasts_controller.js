import { Controller } from "@hotwired/stimulus";

import { clone, slot } from "core/dom";

const SHOWN_MS = 8000;

export default class extends Controller {
  #timers = new WeakMap();
  #add = ({ detail }) => this.add(detail);

  connect() {
    addEventListener("toast", this.#add);
    for (const toast of this.element.children) this.#watch(toast);
  }

  disconnect() {
    removeEventListener("toast", this.#add);
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
    this.element.append(toast);
    this.#watch(toast);
  }

  dismiss({ target }) {
    target.closest(".toast").remove();
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
