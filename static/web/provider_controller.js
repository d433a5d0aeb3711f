import { Controller } from "@hotwired/stimulus";

/** The form for a new provider: the field for its address says what the chosen kind needs there. */
export default class extends Controller {
  static targets = ["address", "kind"];

  /** A browser that comes back to the page may have kept another kind than the server wrote. */
  connect() {
    this.choose();
  }

  choose() {
    const { address, help } = this.kindTarget.selectedOptions[0].dataset;
    this.addressTarget.placeholder = address;
    const note = document.getElementById(this.addressTarget.getAttribute("aria-describedby"));
    if (note?.matches(".help")) note.textContent = help; // a problem stays until it is sent again
  }
}
