import { Controller } from "@hotwired/stimulus";

import { debounce } from "core/dom";
import { fetchElements, post } from "core/http";
import { failedIn } from "core/notices";
import { t } from "core/words";
import { liveSocket } from "live/socket";

const NEWS_MS = 150;
const LOOK_EVERY_MS = 5000; // a bell may be lost; while it is being read somebody looks
const MOST_REASONS = 3;
const MOST_FOLLOWED = 20; // a socket follows 50 topics at most, and the page has others
const followed = new Set();

/** The card of one run below a message: follows it, and draws what is shown again. */
export default class extends Controller {
  static values = { api: String, topic: String, url: String };

  connect() {
    this.soon = debounce(() => this.#load(), NEWS_MS);
    this.clock = setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#follow();
  }

  disconnect() {
    clearInterval(this.clock);
    if (followed.delete(this.topicValue)) liveSocket().unsubscribe(this.topicValue);
  }

  retry({ currentTarget: button }) {
    return this.#try(button, `${this.apiValue}retry/`);
  }

  stop({ currentTarget: button }) {
    return this.#try(button, `${this.apiValue}stop/`);
  }

  resume({ currentTarget: button }) {
    return this.#try(button, `${this.apiValue}resume/`);
  }

  async acceptAll({ currentTarget: button }) {
    if (this.isAccepting) return;
    this.isAccepting = true;
    const left = [];
    let after = 0, done;
    do { // many are accepted in pieces
      done = await this.#try(button, `${this.apiValue}accept/?after=${after}`);
      left.push(...(done?.left ?? []));
      after = done?.next ?? null;
    } while (after !== null);
    this.isAccepting = false;
    for (const again of this.#acceptButtons()) again.disabled = false;
    const why = [...new Set(left.map(({ detail }) => detail))].slice(0, MOST_REASONS).join(" ");
    if (!why) return;
    const problem = done ? "" : (this.element.querySelector(":scope > .notice.passing")?.textContent ?? ""); // of a later piece
    failedIn(this.element, `${problem} ${t("some_left", { count: left.length, why })}`.trim());
  }

  #acceptButtons() {
    return this.element.querySelectorAll('[data-action="extraction#acceptAll"]');
  }

  /** What is settled changes no more. */
  #follow() {
    const isOpen = this.element.querySelector("[data-moving], [data-pending]");
    if (!isOpen || followed.has(this.topicValue) || followed.size >= MOST_FOLLOWED) return;
    followed.add(this.topicValue);
    let wasHere = false;
    liveSocket().subscribe(this.topicValue, {
      position: () => ({ after: null, turns: {} }),
      onFrame: (frame) => {
        if (frame.type === "event" || (frame.type === "snapshot" && (wasHere || this.#isBehind(frame)))) this.soon();
        if (frame.type === "snapshot") wasHere = true;
      },
    });
  }

  /** It went on between the drawing of the page and the first word of the socket. */
  #isBehind({ data }) {
    const { status, suggested, pending } = data?.extraction ?? {};
    const shown = this.element.querySelector("[data-counts]")?.dataset;
    return shown?.status !== status || shown?.counts !== `${suggested} ${pending}`;
  }

  #look() {
    if (document.visibilityState === "visible" && this.element.querySelector("[data-moving]")) this.#load();
  }

  async #try(button, url) {
    button.disabled = true;
    this.element.querySelector(".notice.passing")?.remove();
    try {
      const done = await post(url);
      await this.#load();
      return done;
    } catch (error) {
      button.disabled = false;
      failedIn(this.element, error.message);
      return null;
    }
  }

  async #load() {
    let found;
    const turn = (this.asked = (this.asked ?? 0) + 1);
    try {
      found = await fetchElements(this.urlValue, { into: this.element });
    } catch {
      return; // the next news, or the clock
    }
    if (!found || turn < this.drawn || !this.element.isConnected) return; // what was asked for later is newer
    this.drawn = turn;
    const [fresh] = found;
    const focused = document.activeElement?.closest?.("[data-proposal]")?.id;
    const opened = new Set([...this.element.querySelectorAll("details[open]")].map(placeOf));
    for (const shown of this.element.querySelectorAll("[data-proposal]")) keep(shown, fresh.querySelector(`#${CSS.escape(shown.id)}`));
    for (const details of fresh.querySelectorAll("details")) details.open ||= opened.has(placeOf(details));
    const notes = [...this.element.querySelectorAll(".notice.lost, .notice.passing")].map((note) => [note, note.previousElementSibling?.id]);
    this.element.replaceChildren(fresh);
    if (this.isAccepting) for (const again of this.#acceptButtons()) again.disabled = true;
    for (const [note, above] of notes) (above && document.getElementById(above) ? document.getElementById(above) : fresh).after(note);
    if (focused && !this.element.contains(document.activeElement)) document.getElementById(focused)?.focus({ preventScroll: true });
    this.#follow();
  }
}

/** Who is typing keeps what they typed; who typed into what somebody else has decided meanwhile is told, with their values. */
function keep(shown, fresh) {
  if (!fresh || !("editing" in shown.dataset)) return;
  if (fresh.dataset.status === "pending") fresh.replaceWith(shown);
  else fresh.after(shown.querySelector(".lost") ?? lostNote(shown));
}

function lostNote(shown) {
  const note = document.createElement("p");
  note.className = "notice lost";
  note.dataset.kind = "warn";
  const typed = [...shown.querySelectorAll("[data-was]")].filter((input) => input.value !== input.dataset.was);
  note.textContent = t("decided_meanwhile", { values: typed.map(({ value }) => value).join(", ") || "—" });
  return note;
}

const placeOf = (details) => `${details.closest("[data-proposal]")?.id} ${details.querySelector("summary").textContent.trim()}`;
