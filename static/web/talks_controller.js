import { Controller } from "@hotwired/stimulus";

import { debounce } from "core/dom";
import { fetchElements } from "core/http";
import { liveSocket } from "live/socket";

const NEWS_MS = 1000;
const LONGEST_MS = 5000; // in a busy project there is always other news
const LOOK_EVERY_MS = 60_000;

/** The list of conversations in the sidebar. News say what to look for again; what they missed is found by looking now and then. */
export default class extends Controller {
  static values = { url: String, topics: Array };

  connect() {
    const soon = debounce(() => this.#load(), NEWS_MS);
    this.news = () => {
      this.newsSince ??= performance.now();
      if (performance.now() - this.newsSince > LONGEST_MS) this.#load();
      else soon();
    };
    addEventListener("talks:changed", this.news);
    document.addEventListener("visibilitychange", this.#look);
    this.clock = setInterval(this.#look, LOOK_EVERY_MS);
    for (const topic of this.topicsValue) this.#follow(topic);
  }

  disconnect() {
    removeEventListener("talks:changed", this.news);
    document.removeEventListener("visibilitychange", this.#look);
    clearInterval(this.clock);
    for (const topic of this.topicsValue) liveSocket().unsubscribe(topic);
  }

  #look = () => {
    if (document.visibilityState === "visible") this.news();
  };

  /** News are kept nowhere: whoever was away looks again. */
  #follow(topic) {
    let wasHere = false;
    liveSocket().subscribe(topic, {
      position: () => ({ after: null, turns: {} }),
      onFrame: (frame) => {
        if (frame.type === "snapshot") {
          if (wasHere) this.news();
          wasHere = true;
          this.element.dataset.live = "";
        }
        if (frame.type === "news" && frame.about === "conversation" && this.#isNew(frame)) this.news();
      },
    });
  }

  /** In a busy project most news say what the list shows already. */
  #isNew({ id, change }) {
    const link = this.#linkOf(id);
    if (!link || change === "list") return true;
    const isUnread = "unread" in link.dataset;
    if (change === "read") return isUnread;
    const isShown = isUnread || link.ariaCurrent === "page";
    const isInPlace = link.closest("[data-pinned]") || link === this.element.querySelector("ul:not([data-pinned]) a");
    return !(isShown && isInPlace);
  }

  #linkOf(id) {
    return this.element.querySelector(`[data-conversation="${CSS.escape(id)}"]`);
  }

  async #load() {
    this.newsSince = null;
    const current = document.body.dataset.conversationIdValue ?? "";
    const found = await fetchElements(`${this.urlValue}?${new URLSearchParams({ current })}`, { into: this.element }).catch(() => null);
    if (!found) return;
    const focused = this.element.contains(document.activeElement) && document.activeElement.dataset.conversation;
    const { scrollTop } = this.element;
    this.element.replaceChildren(...found);
    this.element.scrollTop = scrollTop;
    if (focused) this.#linkOf(focused)?.focus();
  }
}
