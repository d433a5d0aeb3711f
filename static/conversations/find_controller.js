import { Controller } from "@hotwired/stimulus";

import { Finding } from "conversations/finding";
import { debounce, isComposing } from "core/dom";

const WAIT_MS = 250;

/** The bar for finding words in this conversation. */
export default class extends Controller {
  static targets = ["bar", "count", "input"];

  connect() {
    const page = this.application.getControllerForElementAndIdentifier(this.element, "conversation");
    this.scroller = page.scrollerTarget;
    this.finding = new Finding({ session: page.session, scroller: page.scrollerTarget, url: `/api/v1/search/?conversation=${page.idValue}` });
    this.search = debounce(() => this.#show(this.finding.search(this.inputTarget.value)), WAIT_MS);
  }

  search() {} // replaced in connect, named here for Stimulus

  toggle() {
    if (!this.barTarget.hidden) return this.close();
    this.barTarget.hidden = false;
    this.inputTarget.select();
    return this.inputTarget.focus();
  }

  close() {
    this.barTarget.hidden = true;
    this.countTarget.textContent = this.finding.clear();
    this.scroller.focus();
  }

  key(event) {
    if (event.key === "Escape") this.close();
    else if (event.key !== "Enter" || isComposing(event)) return;
    else if (event.shiftKey) this.next();
    else this.previous();
    event.preventDefault();
  }

  /** Upwards in the thread: the newest match is the first one shown. */
  previous() {
    this.#show(this.finding.step(-1));
  }

  next() {
    this.#show(this.finding.step(1));
  }

  async #show(result) {
    try {
      this.countTarget.textContent = await result;
    } catch (error) {
      if (error.name !== "AbortError") this.countTarget.textContent = error.message;
    }
  }
}
