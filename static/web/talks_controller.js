import { Controller } from "@hotwired/stimulus";

import { debounce } from "core/dom";
import { fetchElements } from "core/http";

const NEWS_MS = 1000;
const LOOK_EVERY_MS = 60_000;

/** The list of conversations in the sidebar. News of this page comes at once, of other conversations when one looks. */
export default class extends Controller {
  static values = { url: String };

  connect() {
    this.news = debounce(() => this.#load(), NEWS_MS);
    addEventListener("talks:changed", this.news);
    document.addEventListener("visibilitychange", this.#look);
    this.clock = setInterval(this.#look, LOOK_EVERY_MS);
  }

  disconnect() {
    removeEventListener("talks:changed", this.news);
    document.removeEventListener("visibilitychange", this.#look);
    clearInterval(this.clock);
  }

  #look = () => {
    if (document.visibilityState === "visible") this.news();
  };

  async #load() {
    const current = document.body.dataset.conversationIdValue ?? "";
    const found = await fetchElements(`${this.urlValue}?${new URLSearchParams({ current })}`).catch(() => null);
    if (!found) return;
    const focused = this.element.contains(document.activeElement) && document.activeElement.dataset.conversation;
    this.element.replaceChildren(...found);
    if (focused) this.element.querySelector(`[data-conversation="${CSS.escape(focused)}"]`)?.focus();
  }
}
