// Find in this conversation: the server knows in which messages, the page marks the words and brings the messages up.

import { request } from "core/http";
import { number, t } from "core/words";

const MOST_MARKS = 500;
const ACCENTS = /[\u0300-\u036f]+/g;
const STROKES = { ø: "o", ł: "l", đ: "d" };

export class Finding {
  #session;
  #scroller;
  #url;
  #hits = []; // {id, number}, oldest first
  #at = -1;
  #hasMore = false;
  #words = [];
  #request = null;

  constructor({ session, scroller, url }) {
    this.#session = session;
    this.#scroller = scroller;
    this.#url = url;
  }

  /** Answers the words for the counter. */
  async search(query) {
    this.#request?.abort();
    this.#request = new AbortController();
    this.#words = query.trim().split(/\s+/).filter(Boolean);
    this.#hits = [];
    this.#at = -1;
    if (!this.#words.length) return this.clear();
    const answer = await request(`${this.#url}&${new URLSearchParams({ q: query.trim(), limit: 100 })}`, this.#request);
    this.#hasMore = Boolean(answer.next);
    this.#hits = answer.results.map(({ id, position }) => ({ id, number: position })).sort((one, other) => one.number - other.number);
    this.#at = this.#hits.length; // the newest is the first one shown
    return this.step(-1);
  }

  async step(by) {
    if (!this.#hits.length) {
      this.#mark();
      return this.#words.length ? t("no_matches") : "";
    }
    this.#at = (this.#at + by + this.#hits.length) % this.#hits.length;
    const hit = this.#hits[this.#at];
    await this.#session.show(hit.id, hit.number);
    this.#mark(this.#session.thread.find(hit.id));
    const [index, count] = [number(this.#at + 1), number(this.#hits.length)];
    return t(this.#hasMore ? "match_of_newest" : "match_of", { index, count });
  }

  clear() {
    this.#words = [];
    CSS.highlights?.delete("found");
    CSS.highlights?.delete("found-current");
    return "";
  }

  /** Marks lie over the text instead of in it: the thread's elements stay as they are. */
  #mark(current = null) {
    const all = [];
    for (const body of this.#scroller.querySelectorAll(".message .prose")) {
      all.push(...rangesOf(body, this.#words));
      if (all.length > MOST_MARKS) break;
    }
    const here = all.filter((range) => current?.contains(range.startContainer));
    CSS.highlights?.set("found", new Highlight(...all));
    CSS.highlights?.set("found-current", new Highlight(...here));
    const target = here[0]?.startContainer.parentElement ?? current;
    target?.scrollIntoView({ block: "center" });
  }
}

/** Without accents, as the server finds words, and each letter in its place: what becomes none, or more than one, stays. */
const folded = (text) => text.replace(/[^\x00-\x7f]/g, (letter) => {
  const plain = STROKES[letter] ?? letter.normalize("NFD").replace(ACCENTS, "");
  return plain.length === 1 ? plain : letter;
});

/** The accents of a text may stand apart from their letters, and an ß is found by "ss". */
function patternOf(word) {
  const plain = folded(word.normalize("NFC").toLocaleLowerCase()).replaceAll("ß", "ss");
  const letters = plain.match(/ss|[^]/g).map((each) => (each === "ss" ? "(?:ss|ß)" : each.replace(/[.*+?^${}()|[\]\\]/, "\\$&")));
  return new RegExp(letters.map((each) => `${each}[\u0300-\u036f]*`).join(""), "g");
}

function rangesOf(root, words) {
  const ranges = [];
  const sought = words.map(patternOf);
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = folded(walker.currentNode.data.toLocaleLowerCase());
    if (text.length !== walker.currentNode.length) continue; // a letter that changes length with its case
    for (const word of sought) {
      for (const found of text.matchAll(word)) {
        const range = new Range();
        range.setStart(walker.currentNode, found.index);
        range.setEnd(walker.currentNode, found.index + found[0].length);
        ranges.push(range);
      }
    }
  }
  return ranges;
}
