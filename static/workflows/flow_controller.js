import { Controller } from "@hotwired/stimulus";

import { drawn, entriesOf } from "workflows/flow_drawing";

/** The drawing of a workflow that nobody edits here. */
export default class extends Controller {
  static targets = ["drawing", "list"];
  static values = { source: String };

  connect() {
    const { svg, nodes } = drawn(JSON.parse(document.getElementById(this.sourceValue).textContent));
    this.drawingTarget.replaceChildren(svg);
    this.listTarget.replaceChildren(...entriesOf(nodes));
  }
}
