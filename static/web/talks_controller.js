import { Controller } from "@hotwired/stimulus";

import { debounce } from "core/dom";
import { fetchElements } from "core/http";
import { liveSocket } from "live/socket";

const REFETCH_MS = 1000;

/** The list of conversations in the sidebar: any news of this member fetches it again. */
export default class extends Controller {
  static values = { url: String };
  #position = null;

  connect() {
    this.topic = document.body.dataset.userTopic;
    this.refetch = debounce(() => this.#load(), REFETCH_MS);
    addEventListener("talks:changed", this.refetch);
    if (!this.topic) return;
    liveSocket().subscribe(this.topic, {
      position: () => ({ after: this.#position }),
      onFrame: (frame) => this.#onFrame(frame),
    });
  }

  disconnect() {
    removeEventListener("talks:changed", this.refetch);
    if (this.topic) liveSocket().unsubscribe(this.topic);
  }

  #onFrame(frame) {
    if (frame.topic_position === undefined) return null;
    if (frame.type === "event" && this.#position !== null && frame.topic_position > this.#position + 1) return "gap";
    const isNews = this.#position !== null && frame.topic_position > this.#position;
    this.#position = Math.max(frame.topic_position, this.#position ?? 0);
    if (isNews) this.refetch();
    return null;
  }

  async #load() {
    const current = document.body.dataset.conversationIdValue ?? "";
    const found = await fetchElements(`${this.urlValue}?${new URLSearchParams({ current })}`).catch(() => null);
    if (!found) return;
    const focused = this.element.contains(document.activeElement) && document.activeElement.dataset.conversation;
    this.element.replaceChildren(...found);
    if (focused) this.element.querySelector(`[data-conversation="${CSS.escape(focused)}"]`)?.focus();
  }
}
