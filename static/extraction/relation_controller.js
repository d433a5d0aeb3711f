import { Controller } from "@hotwired/stimulus";

import { debounce, icon, isComposing } from "core/dom";
import { fetchElements } from "core/http";
import { Listbox } from "core/listbox";
import { t } from "core/words";

const TYPED_MS = 150;
let made = 0;

/** Which records a field points to: found by their words, shown as chips. The ids stand in a hidden field, one a line. */
export default class extends Controller {
  static targets = ["value", "chosen", "input", "list"];
  static values = { url: String, several: Boolean };

  connect() {
    this.listbox = new Listbox(this.inputTarget, this.listTarget);
    this.listTarget.id ||= `found-${(made += 1)}`;
    this.inputTarget.setAttribute("aria-controls", this.listTarget.id);
    this.inputTarget.hidden = !this.urlValue;
    if (document.activeElement === this.inputTarget) this.find(); // it got the focus before anybody listened
  }

  find = debounce(async () => {
    if (document.activeElement !== this.inputTarget) return;
    try {
      const found = await fetchElements(`${this.urlValue}?q=${encodeURIComponent(this.inputTarget.value)}`);
      this.listTarget.replaceChildren(...(found ?? []));
    } catch {
      return; // the next letter asks again
    }
    if (document.activeElement !== this.inputTarget) return;
    this.listTarget.showPopover();
    this.inputTarget.setAttribute("aria-expanded", "true");
    // Nothing was sought yet: Enter saves what is there and chooses nobody.
    if (this.inputTarget.value) this.listbox.first();
  }, TYPED_MS);

  key(event) {
    if (isComposing(event)) return;
    if (this.#isOpen && this.listbox.move(event)) return;
    if (event.key === "Enter" && this.#isOpen && this.listbox.active) {
      event.preventDefault();
      event.stopPropagation();
      this.#take(this.listbox.active);
    } else if (event.key === "Escape" && this.#isOpen) {
      event.stopPropagation();
      this.#close();
    } else if (event.key === "Backspace" && !this.inputTarget.value) {
      this.#drop(this.chosenTarget.lastElementChild);
    }
  }

  choose(event) {
    event.preventDefault(); // the focus stays where it is
    const option = event.target.closest('[role="option"]');
    if (option && option.ariaDisabled !== "true") this.#take(option);
  }

  leave() {
    this.#close();
  }

  remove({ target }) {
    this.#drop(target.closest("li"));
    this.inputTarget.focus();
  }

  /** What a record is called is only known to the page that shows it: chips are made of what was there. */
  fill(chips) {
    this.chosenTarget.replaceChildren(...chips.map(({ id, text }) => this.#chip(id, text)));
    this.#write();
  }

  get #isOpen() {
    return this.listTarget.matches(":popover-open");
  }

  #take(option) {
    if (!this.severalValue) this.chosenTarget.replaceChildren();
    const { id } = option.dataset;
    const isThere = [...this.chosenTarget.children].some((chip) => chip.dataset.id === id);
    if (!isThere) this.chosenTarget.append(this.#chip(id, option.textContent.trim()));
    this.inputTarget.value = "";
    this.#write();
    this.#close();
  }

  #drop(chip) {
    chip?.remove();
    this.#write();
  }

  #chip(id, text) {
    const chip = document.createElement("li");
    chip.className = "chip";
    chip.dataset.id = id;
    const label = document.createElement("span");
    label.textContent = text;
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "chip-x", ariaLabel: t("take_away", { title: text }) });
    button.dataset.action = "relation#remove";
    button.append(icon("x", "small"));
    chip.append(label, button);
    return chip;
  }

  #write() {
    this.valueTarget.value = [...this.chosenTarget.children].map((chip) => chip.dataset.id).join("\n");
  }

  #close() {
    if (this.#isOpen) this.listTarget.hidePopover();
    this.inputTarget.setAttribute("aria-expanded", "false");
    this.listbox.activate(null);
  }
}
