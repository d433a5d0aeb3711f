import { Controller } from "@hotwired/stimulus";

import { copyElement } from "core/clipboard";
import { t } from "core/words";

const COPIED_MS = 2000;

/** A value to hand over, such as a key, and its button. Where the browser refuses, the value is left selected. */
export default class extends Controller {
  static targets = ["said", "value"];
  static values = { name: String };

  disconnect() {
    clearTimeout(this.timer);
  }

  /** As a file of the name given, made here: what is shown once must not be asked for again. */
  save() {
    const url = URL.createObjectURL(new Blob([`${this.valueTarget.innerText.trim()}\n`], { type: "text/plain" }));
    Object.assign(document.createElement("a"), { href: url, download: this.nameValue }).click();
    setTimeout(() => URL.revokeObjectURL(url), COPIED_MS);
  }

  async copy() {
    clearTimeout(this.timer);
    this.saidTarget.textContent = ""; // so that a second press is said as well
    const isCopied = await copyElement(this.valueTarget);
    this.saidTarget.textContent = t(isCopied ? "copied" : "copy_selected");
    if (!isCopied) return;
    this.timer = setTimeout(() => { this.saidTarget.textContent = ""; }, COPIED_MS);
  }
}
