// What a screen reader hears of an answer: who writes, then whole sentences now and then, then how it ended. The article
// itself is not live: it would be read again with every word.

import { alarm, announce } from "core/toast";
import { t } from "core/words";

const EVERY_MS = 3000;
const SENTENCE_END = /[.!?…。！？](?=\s|$)/gu;

export class Announcer {
  #isOn;
  #turns = new Map(); // turn id → {said: characters read, at}

  constructor({ isOn }) {
    this.#isOn = isOn;
  }

  began(turnId, name) {
    if (!this.#isOn || this.#turns.has(turnId)) return;
    this.#turns.set(turnId, { said: 0, at: performance.now() });
    announce(t("is_writing", { name }));
  }

  /** `text` is all the text so far. Read only while the reader is in the thread or in the composer. */
  grew(turnId, text) {
    const turn = this.#turns.get(turnId);
    if (!turn || performance.now() - turn.at < EVERY_MS || !document.activeElement?.closest("main")) return;
    const ends = [...text.slice(turn.said).matchAll(SENTENCE_END)];
    if (!ends.length) return;
    const end = turn.said + ends.at(-1).index + 1;
    announce(spoken(text.slice(turn.said, end)));
    Object.assign(turn, { said: end, at: performance.now() });
  }

  ended(turnId, state, words) {
    if (!this.#isOn || !this.#turns.delete(turnId)) return;
    if (state === "completed") announce(t("answer_finished", { count: words }));
    else if (state === "stopped") announce(t("answer_stopped"));
    else alarm(t("answer_failed"));
  }
}

/** Without the signs of Markdown, which are noise when read aloud. */
const spoken = (text) => text.replace(/[*_`#>|~]+/g, " ").replace(/\s+/g, " ").trim();

export const countWords = (text) => text.split(/\s+/).filter(Boolean).length;
