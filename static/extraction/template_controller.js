import { Controller } from "@hotwired/stimulus";

import { debounce } from "core/dom";
import { fetchElements } from "core/http";

const AFTER_MS = 350;

/** What a template makes, beside it while it is written. */
export default class extends Controller {
  static targets = ["form", "preview"];
  static values = { url: String };

  connect() {
    this.soon = debounce(() => this.#load(), AFTER_MS);
  }

  async #load() {
    const asked = (this.asked = (this.asked ?? 0) + 1);
    try {
      const found = await fetchElements(this.urlValue, { method: "POST", body: new FormData(this.formTarget) });
      if (found && asked === this.asked) this.previewTarget.replaceChildren(...found);
    } catch {
      // what is typed next asks again
    }
  }
}
