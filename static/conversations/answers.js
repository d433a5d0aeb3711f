// Answers while they are written: parts of the store become elements, at most once a frame.

import { decorate } from "core/code";
import { clone, fill, slot } from "core/dom";
import { StreamingMarkup } from "core/streaming";
import { clock, seconds, t } from "core/words";

const CHARACTERS_PER_TOKEN = 4; // only for the running count; the final line has the provider's own number
const BUSY_FRAME_MS = 8;

export class Answers {
  #spokenParts;
  #onGrown;
  #writing = new Map(); // message id → Answer
  #dirty = new Set();
  #frame = null;

  constructor({ spokenParts, onGrown }) {
    this.#spokenParts = spokenParts;
    this.#onGrown = onGrown;
  }

  /** An article for an answer that the server has promised and not rendered yet. */
  static article({ message, turn, number, name }) {
    const article = clone("t-model");
    article.id = `m-${message}`;
    Object.assign(article.dataset, { message, ...(turn && { turn }), ...(number && { number }) });
    article.setAttribute("aria-label", `${name}, ${clock()}`);
    return fill(article, { name, time: clock() });
  }

  take(article) {
    const id = article.dataset.message;
    if (this.#writing.get(id)?.article !== article) this.#writing.set(id, new Answer(article));
    return this.#writing.get(id);
  }

  drop(id) {
    this.#writing.delete(id);
    this.#dirty.delete(id);
  }

  status(article, turn) {
    this.take(article).status(turn);
  }

  changed(article) {
    this.take(article);
    this.#dirty.add(article.dataset.message);
    this.#frame ??= requestAnimationFrame(this.#render);
  }

  #render = () => {
    this.#frame = null;
    const started = performance.now();
    for (const id of this.#dirty) {
      const answer = this.#writing.get(id);
      if (answer?.article.isConnected) answer.show(this.#spokenParts(id));
    }
    this.#dirty.clear();
    this.#onGrown();
    // A long last block on a slow machine: leave the browser most of the time for scrolling and typing.
    const cost = performance.now() - started;
    if (cost > BUSY_FRAME_MS) {
      this.#frame = setTimeout(() => {
        this.#frame = null;
        if (this.#dirty.size) this.#render();
      }, cost * 3);
    }
  };
}

class Answer {
  #parts = new Map(); // index → {element, markup, length}
  #startedAt = performance.now();

  constructor(article) {
    this.article = article;
  }

  status({ state, place = null }) {
    const hasWords = this.article.dataset.state === "streaming";
    const shown = { queued: "queued", waiting: "waiting" }[state] ?? (hasWords ? "streaming" : "thinking");
    this.#become(shown, {
      queued: place ? t("waiting_place", { count: place }) : t("waiting_worker"),
      waiting: t("waiting_you"),
      thinking: t("thinking"),
      streaming: t("writing"),
    }[shown]);
  }

  show(spoken) {
    spoken.forEach((part, index) => this.#showPart(part, index));
    const parts = [...spoken.values()];
    const characters = parts.reduce((sum, { text = "" }) => sum + text.length, 0);
    if (parts.some(({ type, text }) => type === "text" && text)) this.#become("streaming", t("writing"));
    fill(this.article, {
      seconds: seconds(performance.now() - this.#startedAt),
      tokens: characters ? t("tokens", { count: Math.ceil(characters / CHARACTERS_PER_TOKEN) }) : "",
    });
  }

  #become(state, words) {
    if (this.article.dataset.state === state && slot(this.article, "status")?.textContent === words) return;
    this.article.dataset.state = state;
    this.article.setAttribute("aria-busy", "true");
    fill(this.article.querySelector(".meta") ?? this.article, { status: words });
  }

  #showPart(part, index) {
    if (part.type === "tool_result") return this.#settle(part, index);
    const shown = this.#parts.get(index);
    if (shown?.type === part.type) return this.#grow(shown, part);
    const made = this.#make(part, index);
    if (!made) return null;
    shown?.element.remove();
    this.#parts.set(index, made);
    return this.#grow(made, part);
  }

  /** Take over what the server has rendered of this part, or make it in its place. */
  #make(part, index) {
    const template = { text: "t-part-text", reasoning: "t-part-reasoning", tool_call: "t-part-tool", error: "t-part-error" }[part.type];
    if (!template) return null;
    const element = clone(template);
    element.dataset.part = index;
    const old = this.article.querySelector(`.body > [data-part="${index}"]`);
    const next = [...this.article.querySelectorAll(".body > [data-part]")].find((other) => Number(other.dataset.part) > index);
    if (old) old.replaceWith(element);
    else (next ?? this.article.querySelector(".body > .meta")).before(element);
    const box = slot(element, "text") ?? element;
    const isText = part.type === "text" || part.type === "reasoning";
    const onSettled = (blocks) => blocks.forEach((block) => decorate(block));
    return { type: part.type, element, length: 0, markup: isText ? new StreamingMarkup(box, { caret: part.type === "text", onSettled }) : null };
  }

  /** Some servers count the ids of calls anew in every round: the nearest one before is meant. */
  #settle({ id, is_error: isError = false }, index) {
    const calls = [...this.#parts].filter(([at, shown]) => at < index && shown.call === id);
    const state = slot(calls.at(-1)?.[1].element ?? this.article.ownerDocument.createElement("i"), "state");
    if (!state) return null;
    state.dataset.kind = isError ? "bad" : "good";
    state.textContent = isError ? state.dataset.failed : state.dataset.done;
    return null;
  }

  #grow(shown, part) {
    if (part.type === "tool_call") shown.call = part.id;
    if (!shown.markup) return fill(shown.element, { name: part.name ?? "", arguments: shownValue(part.arguments), text: part.detail ?? "" });
    const { text = "" } = part;
    if (text.length === shown.length) return null;
    if (text.length < shown.length) { // a reset: another worker began again with less
      const made = this.#make(part, Number(shown.element.dataset.part));
      this.#parts.set(Number(made.element.dataset.part), made);
      return this.#grow(made, part);
    }
    shown.markup.append(text.slice(shown.length));
    shown.markup.render();
    shown.length = text.length;
    return null;
  }
}

const shownValue = (value) => (typeof value === "string" ? value : JSON.stringify(value ?? {}, null, 2));
