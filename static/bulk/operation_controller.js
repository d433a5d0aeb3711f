import { Controller } from "@hotwired/stimulus";

import { debounce } from "core/dom";
import { fetchElements } from "core/http";
import { keyboardIn } from "core/keyboard";
import { liveSocket } from "live/socket";

const NEWS_MS = 250;
const LOOK_EVERY_MS = 5000; // a bell may be lost; while it moves somebody looks

/** The page of one operation: whatever is told of it, what is shown is fetched again. */
export default class extends Controller {
  static values = { topic: String, url: String };

  connect() {
    this.soon = debounce(() => this.#load(), NEWS_MS);
    this.clock = setInterval(() => this.#look(), LOOK_EVERY_MS);
    let wasHere = false;
    liveSocket().subscribe(this.topicValue, {
      position: () => ({ after: null, turns: {} }),
      onFrame: (frame) => {
        if (frame.type === "event" || (frame.type === "snapshot" && (wasHere || this.#isMoving))) this.soon(); // it went on since it was drawn
        if (frame.type === "snapshot") wasHere = true;
      },
    });
  }

  disconnect() {
    clearInterval(this.clock);
    liveSocket().unsubscribe(this.topicValue);
  }

  get #isMoving() {
    return this.element.querySelector("[data-moving]") !== null;
  }

  #look() {
    if (document.visibilityState === "visible" && this.#isMoving) this.#load();
  }

  async #load() {
    let found;
    try {
      found = await fetchElements(this.urlValue, { into: this.element });
    } catch {
      return; // the next news, or the clock
    }
    if (!found) return;
    const keyboard = keyboardIn(this.element);
    const unfolded = [...this.element.querySelectorAll("details[open][id]")].map((each) => each.id);
    this.element.replaceChildren(...found);
    for (const id of unfolded) this.element.querySelector(`details#${CSS.escape(id)}`)?.setAttribute("open", "");
    keyboard(this.element);
  }
}
