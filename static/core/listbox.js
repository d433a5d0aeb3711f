// A list of options that the focus of a text field moves through (combobox pattern): one is active, the field says which.

let made = 0;

export class Listbox {
  #input;
  #list;

  constructor(input, list) {
    this.#input = input;
    this.#list = list;
  }

  get options() {
    return [...this.#list.querySelectorAll('[role="option"]:not([hidden])')];
  }

  get active() {
    return this.#list.querySelector('[role="option"][aria-selected="true"]:not([hidden])');
  }

  /** Make `option` the active one; null clears. */
  activate(option) {
    for (const other of this.#list.querySelectorAll('[role="option"]')) other.setAttribute("aria-selected", String(other === option));
    if (!option) return this.#input.removeAttribute("aria-activedescendant");
    option.id ||= `option-${(made += 1)}`;
    this.#input.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  first() {
    this.activate(this.options.find((option) => option.ariaDisabled !== "true") ?? null);
  }

  /** True when the key was a movement in the list. */
  move(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const { options } = this;
    if (!step || !options.length || event.altKey) return false;
    event.preventDefault();
    const at = options.indexOf(this.active);
    this.activate(options[(at < 0 && step < 0 ? options.length : at + options.length + step) % options.length] ?? options.at(-1));
    return true;
  }
}
