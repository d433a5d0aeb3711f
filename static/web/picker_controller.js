import { Controller } from "@hotwired/stimulus";

import { isComposing, slot } from "core/dom";
import { Listbox } from "core/listbox";

/** Who answers: agents and models in a popover with a filter. Tells the window what was chosen. */
export default class extends Controller {
  static targets = ["filter", "list"];

  connect() {
    this.listbox = new Listbox(this.filterTarget, this.listTarget);
    this.chosen = this.listbox.active;
    this.element.addEventListener("toggle", this.#toggled);
  }

  disconnect() {
    this.element.removeEventListener("toggle", this.#toggled);
  }

  #toggled = ({ newState }) => {
    if (newState !== "open") return;
    this.filterTarget.value = "";
    this.filter();
    this.listbox.activate(this.chosen ?? this.listbox.options[0]);
    this.filterTarget.focus();
  };

  filter() {
    const sought = this.filterTarget.value.trim().toLocaleLowerCase();
    let group = null;
    for (const item of this.listTarget.children) {
      if (item.matches(".group")) {
        group = item;
        group.hidden = Boolean(sought);
        continue;
      }
      item.hidden = !item.textContent.toLocaleLowerCase().includes(sought);
      if (group && !item.hidden) group.hidden = false;
    }
    this.listbox.first();
  }

  key(event) {
    if (this.listbox.move(event)) return;
    if (isComposing(event) || !["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault();
    if (event.key === "Enter") this.#take(this.listbox.active);
    else this.element.hidePopover(); // a search field would take the first Esc for itself
  }

  choose({ target }) {
    this.#take(target.closest('[role="option"]'));
  }

  #take(option) {
    if (!option || option.ariaDisabled === "true") return;
    this.#use(option);
    const { model = null, agent = null, label, note } = option.dataset;
    this.element.hidePopover();
    this.dispatch("chosen", { prefix: "picker", detail: { model, agent, label, note } });
  }

  /** The one in use says so where others have their price. */
  #use(option) {
    this.chosen = option;
    const sign = slot(this.listTarget, "use");
    if (!sign) return;
    for (const price of this.listTarget.querySelectorAll('[data-slot="price"]')) price.hidden = option.contains(price);
    option.append(sign);
  }
}
