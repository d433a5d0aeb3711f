import { Controller } from "@hotwired/stimulus";

import { debounce } from "core/dom";
import { fetchElements, post, request } from "core/http";
import { failedIn } from "core/notices";
import { ticksOf } from "extraction/ticks";
import { liveSocket } from "live/socket";

const NEWS_MS = 200;
const LOOK_EVERY_MS = 3000; // a bell may be lost; while it moves somebody looks

/** The card of a wish below a message: confirm, edit, cancel; then how its operation goes. */
export default class extends Controller {
  static values = { api: String, topic: String, url: String };

  connect() {
    this.#tick();
    this.soon = debounce(() => this.#load(), NEWS_MS);
    this.clock = setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#follow();
  }

  disconnect() {
    clearInterval(this.clock);
    if (this.followed) liveSocket().unsubscribe(this.followed);
  }

  async confirm({ currentTarget: button }) {
    button.disabled = true;
    if ((await this.ticks.kept) === false) button.disabled = false; // what was ticked last counts
    else await this.#try(button, () => post(`${this.apiValue}confirm/`));
  }

  /** Whether each waits for somebody before it is kept. */
  async decide({ currentTarget: box }) {
    const { ticks } = this;
    const review = box.checked;
    const told = ticks.send(review);
    const mine = this.#try(box, () => told);
    ticks.kept = mine;
    if (await mine) return;
    if (this.#box) this.#box.checked = ticks.stands;
    if (ticks.kept === mine) ticks.kept = null;
  }

  dismiss({ currentTarget: button }) {
    return this.#try(button, () => post(`${this.apiValue}dismiss/`));
  }

  stop({ currentTarget: button }) {
    return this.#try(button, () => post(button.dataset.stop));
  }

  edit({ currentTarget: button }) {
    const { form } = this;
    form.hidden = !form.hidden;
    button.setAttribute("aria-expanded", String(!form.hidden));
    if (!form.hidden) form.querySelector("input")?.focus();
  }

  /** A collection that is there has its fields. */
  target({ currentTarget: select }) {
    this.form.querySelector("[data-new]").hidden = select.value !== "";
  }

  save(event) {
    event.preventDefault();
    const { form } = this;
    const body = { count: Number(form.elements.count.value) || 0, brief: form.elements.brief.value, collection: form.elements.collection.value || null };
    if (!body.collection) Object.assign(body, { name: form.elements.name.value, new_fields: [...form.querySelectorAll("[data-field]")].map(fieldOf).filter(({ title }) => title) });
    const headers = { "if-match": `"${form.dataset.version}"` };
    return this.#try(form.querySelector('[type="submit"]'), () => request(this.apiValue, { method: "PATCH", body, headers }));
  }

  get form() {
    return this.element.querySelector("[data-wish-form]");
  }

  get ticks() {
    return ticksOf(this.apiValue);
  }

  /** The card as it stands on the page by now. */
  get #here() {
    return document.getElementById(this.element.id) ?? this.element;
  }

  get #box() {
    return this.#here.querySelector('[data-action="wish#decide"]');
  }

  #tick() {
    const box = this.#box;
    if (box) box.checked = this.ticks.of(Number(this.form?.dataset.version), box.checked);
  }

  /** What is settled changes no more. */
  #follow() {
    const topic = this.element.querySelector("[data-moving]")?.dataset.topic;
    if (!topic || this.followed === topic) return;
    this.followed = topic;
    let wasHere = false;
    liveSocket().subscribe(topic, {
      position: () => ({ after: null, turns: {} }),
      onFrame: (frame) => {
        if (frame.type === "event" || (frame.type === "snapshot" && wasHere)) this.soon();
        if (frame.type === "snapshot") wasHere = true;
      },
    });
  }

  #look() {
    if (document.visibilityState === "visible" && this.element.querySelector("[data-moving]")) this.#load();
  }

  async #try(button, act) {
    button.disabled = button.type !== "checkbox"; // a box would lose the focus
    this.#here.querySelector(".notice.passing")?.remove();
    try {
      await act();
      await this.#load();
      return true;
    } catch (error) {
      button.disabled = false;
      failedIn(this.#here, error.errors?.map?.(({ detail }) => detail).find(Boolean) ?? error.message);
      return false;
    }
  }

  async #load() {
    const { ticks } = this;
    const { count } = ticks;
    if (ticks.isUnderWay || !this.element.isConnected) return; // what the tick brings is newer, and so is what stands there
    let found;
    try {
      found = await fetchElements(this.urlValue, { into: this.element });
    } catch {
      return; // the next news, or the clock
    }
    if (!found || count !== ticks.count || !this.element.isConnected || (this.form && !this.form.hidden && found[0].dataset.status === "proposed" && !this.form.querySelector(":disabled"))) return;
    const hadFocus = this.element.contains(document.activeElement);
    const focused = hadFocus && document.activeElement.id;
    this.element.replaceChildren(...found);
    this.#tick();
    if (hadFocus) ((focused && document.getElementById(focused)) || this.element.querySelector("button, a"))?.focus({ preventScroll: true });
    this.#follow();
  }
}

function fieldOf(row) {
  const part = (name) => row.querySelector(`[data-part="${name}"]`).value.trim();
  return { name: row.dataset.name || part("title"), title: part("title"), kind: part("kind"), choices: part("choices").split("|").filter(Boolean) };
}
