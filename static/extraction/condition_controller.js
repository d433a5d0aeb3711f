import { Controller } from "@hotwired/stimulus";

const TYPES = { integer: "number", number: "number", date: "date" };

/** The small builder of a condition: only comparisons that fit the field, and a value of its kind. */
export default class extends Controller {
  static targets = ["field", "operator", "value", "valueField", "choices"];

  connect() {
    this.change();
  }

  change(event) {
    const { operators, kind } = this.fieldTarget.selectedOptions[0].dataset;
    const fitting = operators.split(" ");
    for (const option of this.operatorTarget.options) option.hidden = option.disabled = !fitting.includes(option.value);
    const isOther = event?.target !== this.operatorTarget;
    if (isOther || !fitting.includes(this.operatorTarget.value)) this.operatorTarget.value = fitting[0];
    this.valueFieldTarget.hidden = ["empty", "filled"].includes(this.operatorTarget.value);
    this.valueTarget.required = !this.valueFieldTarget.hidden;
    const type = TYPES[kind] ?? "text";
    if (this.valueTarget.type !== type) this.valueTarget.value = "";
    this.valueTarget.type = type;
    if (type === "number") this.valueTarget.step = "any";
    const choices = this.element.querySelector(`template[data-choices="${CSS.escape(this.fieldTarget.value)}"]`);
    this.choicesTarget.replaceChildren(...(choices ? choices.content.firstElementChild.cloneNode(true).children : []));
  }
}
