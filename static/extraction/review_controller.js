import { Controller } from "@hotwired/stimulus";

import { debounce, isEditable } from "core/dom";
import { fetchElements } from "core/http";
import { liveSocket } from "live/socket";

const NEWS_MS = 250;
const LETTERS = ["a", "e", "r"]; // of a card

/** The queue: J and K go from card to card, the letters of a card decide (the first goes to a card, where none is chosen), and what others decide folds here too. */
export default class extends Controller {
  static targets = ["list"];

  connect() {
    document.addEventListener("keydown", this.#key);
    this.element.addEventListener("proposal:decided", this.#decided);
    this.topics = new Set([...this.element.querySelectorAll("[data-topic]")].map(({ dataset }) => dataset.topic));
    for (const topic of this.topics) this.#follow(topic);
  }

  disconnect() {
    document.removeEventListener("keydown", this.#key);
    this.element.removeEventListener("proposal:decided", this.#decided);
    for (const topic of this.topics) liveSocket().unsubscribe(topic);
  }

  filter({ target }) {
    target.form.requestSubmit();
  }

  get #waiting() {
    return [...this.element.querySelectorAll('[data-proposal][data-status="pending"]')];
  }

  #follow(topic) {
    const soon = debounce(() => this.#refresh(topic), NEWS_MS);
    let wasHere = false;
    liveSocket().subscribe(topic, {
      position: () => ({ after: null, turns: {} }),
      onFrame: (frame) => {
        if (frame.type === "event" || (frame.type === "snapshot" && wasHere)) soon();
        if (frame.type === "snapshot") wasHere = true;
      },
    });
  }

  async #refresh(topic) {
    for (const card of this.#waiting.filter(({ dataset }) => dataset.topic === topic && !("editing" in dataset))) {
      const [fresh] = (await fetchElements(card.dataset.proposalUrlValue).catch(() => null)) ?? [];
      if (fresh && fresh.dataset.status !== "pending" && card.isConnected) card.replaceWith(fresh);
    }
  }

  /** The next one that waits gets the focus, also where the list was left by a click. */
  #decided = ({ target, detail }) => {
    if (!detail.hadFocus) return;
    const next = this.#waiting.find((card) => target.compareDocumentPosition(card) & Node.DOCUMENT_POSITION_FOLLOWING) ?? this.#waiting[0];
    this.#go(next);
  };

  #go(card) {
    card?.focus({ preventScroll: true });
    card?.scrollIntoView({ block: "nearest" });
  }

  #key = (event) => {
    const isPlain = !event.metaKey && !event.ctrlKey && !event.altKey && !event.shiftKey;
    if (!isPlain || event.defaultPrevented || isEditable(event.target) || document.body.dataset.singleKeys === "off") return;
    if (document.querySelector("dialog[open], [popover]:not([popover=manual]):popover-open")) return;
    const cards = this.#waiting;
    const at = cards.indexOf(document.activeElement?.closest?.("[data-proposal]"));
    if (event.key === "j") this.#go(cards[Math.min(at + 1, cards.length - 1)]);
    else if (event.key === "k") this.#go(cards[Math.max(at - 1, 0)]);
    else if (at < 0 && LETTERS.includes(event.key)) this.#go(cards[0]);
    else return;
    event.preventDefault();
  };
}
