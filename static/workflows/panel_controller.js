import { Controller } from "@hotwired/stimulus";

import { debounce } from "core/dom";
import { fetchElements, post } from "core/http";
import { liveSocket } from "live/socket";
import { refusalOf } from "workflows/refusal";

const NEWS_MS = 200;
const LOOK_EVERY_MS = 5000; // a bell may be lost; while something moves somebody looks
const TOLD_BY = ["context:stale", "conversation:changed", "proposal:decided", "online"];

/** The runs beside a conversation: follows them, and tries, answers and begins what people ask for. */
export default class extends Controller {
  static targets = ["content"];
  static values = { url: String, topics: String };
  #followed = [];

  connect() {
    this.soon = debounce(() => this.#load(), NEWS_MS);
    this.clock = setInterval(() => this.#look(), LOOK_EVERY_MS);
    for (const name of TOLD_BY) addEventListener(name, this.soon);
    document.addEventListener("visibilitychange", this.#seen);
  }

  disconnect() {
    clearInterval(this.clock);
    for (const name of TOLD_BY) removeEventListener(name, this.soon);
    document.removeEventListener("visibilitychange", this.#seen);
    this.#follow([]);
  }

  topicsValueChanged(topics) {
    this.#follow(topics.split(" ").filter(Boolean));
  }

  /** One form, one request: what the server refuses it says in its place, and what is missing with it. */
  async act(event) {
    event.preventDefault();
    const form = event.target;
    const button = form.querySelector("[type=submit]");
    const said = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
    if (button.ariaBusy === "true") return null;
    button.ariaBusy = "true"; // not disabled: the keyboard stays on it
    this.#placeOf(form)?.replaceChildren();
    try {
      await post(form.dataset.api, said);
      form.reset();
    } catch (error) {
      button.ariaBusy = "false";
      return this.#refuse(document.querySelector(`#context-panel ${placeOf(form)}`)?.form ?? form, error); // the panel may be drawn, or fetched, anew by now
    }
    await this.#load();
    if (!this.element.contains(document.activeElement)) this.element.querySelector("h2[tabindex]")?.focus();
    return null;
  }

  #placeOf(form) {
    return form.querySelector('[role="alert"]') ?? form.closest("[data-stage]")?.querySelector('[role="alert"]');
  }

  #refuse(form, error) {
    this.#placeOf(form)?.replaceChildren(refusalOf(error, form.closest("[data-stage]")));
  }

  #follow(topics) {
    for (const topic of this.#followed) if (!topics.includes(topic)) liveSocket().unsubscribe(topic);
    for (const topic of topics.filter((each) => !this.#followed.includes(each))) {
      let wasHere = false;
      liveSocket().subscribe(topic, {
        position: () => ({ after: null, turns: {} }),
        onFrame: (frame) => {
          if (frame.type === "event" || (frame.type === "snapshot" && (wasHere || this.#isBehind(frame)))) this.soon();
          if (frame.type === "snapshot") wasHere = true;
        },
      });
    }
    this.#followed = topics;
  }

  /** It went on between the drawing of the panel and the first word of the socket. */
  #isBehind({ data }) {
    return this.element.querySelector(`[data-run="${CSS.escape(data?.run?.id ?? "")}"]`)?.dataset.status !== data?.run?.status;
  }

  #seen = () => {
    if (document.visibilityState === "visible") this.soon();
  };

  #look() {
    if (document.visibilityState === "visible" && this.element.querySelector("[data-moving]")) this.#load();
  }

  async #load() {
    let found;
    try {
      found = await fetchElements(this.urlValue, { into: this.element });
    } catch {
      return; // the next news, or the clock
    }
    if (!found || !this.element.isConnected) return;
    const fresh = found[0].querySelector('[data-run-panel-target="content"]');
    const was = this.element.querySelector('[aria-current="step"] h3')?.textContent;
    keep(this.contentTarget, fresh);
    const focused = document.activeElement?.closest?.("[data-api], [id]");
    const place = this.contentTarget.contains(focused) ? placeOf(focused) : null;
    this.contentTarget.replaceChildren(...fresh.childNodes);
    this.topicsValue = found[0].dataset.runPanelTopicsValue;
    if (place) this.element.querySelector(place)?.focus();
    const now = this.element.querySelector('[aria-current="step"] h3')?.textContent;
    if (was && now && was !== now) document.getElementById("announcer").textContent = now;
  }
}

/** What somebody has typed or chosen, what is folded open, and what was refused where it still is. */
function keep(shown, fresh) {
  for (const details of shown.querySelectorAll("details[open][id]")) fresh.querySelector(`#${CSS.escape(details.id)}`)?.setAttribute("open", "");
  for (const input of shown.querySelectorAll("input[id], select[id]")) {
    const other = fresh.querySelector(`#${CSS.escape(input.id)}`);
    if (other && input.value !== input.defaultValue) other.value = input.value;
  }
  for (const radio of shown.querySelectorAll("input[type=radio]:checked")) {
    const form = fresh.querySelector(`[data-api="${CSS.escape(radio.form.dataset.api)}"]:has([value="${CSS.escape(radio.form.elements.choice.value)}"])`);
    const other = form?.querySelector(`input[type=radio][value="${CSS.escape(radio.value)}"]`);
    if (other) other.checked = true;
  }
  for (const alert of shown.querySelectorAll('[role="alert"][id]')) {
    const other = fresh.querySelector(`#${CSS.escape(alert.id)}`);
    if (other && (other.closest("form") || lacks(alert) === lacks(other))) other.replaceChildren(...alert.childNodes);
  }
}

/** What its stage lacks: once that is something else, what was refused is no longer true. */
const lacks = (alert) => alert.parentElement.querySelector(".missing")?.textContent;

function placeOf(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  const value = element.querySelector("input[type=hidden]")?.value;
  return `[data-api="${CSS.escape(element.dataset.api)}"]${value ? `:has([value="${CSS.escape(value)}"])` : ""} [type=submit]`;
}
