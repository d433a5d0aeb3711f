// What may follow `/` at the start, and `@` and `#` anywhere: a list above the composer that the keys of the text field move.

import { clone, icon, isComposing } from "core/dom";
import { request } from "core/http";
import { Listbox } from "core/listbox";
import { t } from "core/words";

const MOST = 8;
const ASK_AFTER_MS = 120;
const ASKED = "#"; // too many to have all of them here: the server is asked for what fits
const KINDS = { agent: "agents_models", model: "agents_models", person: "people", command: "commands" };

export class Completion {
  #input;
  #box;
  #list;
  #urls;
  #loaded = new Map();
  #listbox;
  #update = 0;
  #onTake;
  #taken = new Set();
  #span = null; // what would be replaced: {start, end}

  /** `urls`: {"/": …, "@": …, "#": …}; a sign without an address completes nothing. `onTake({sign, id, kind, name})`: what was chosen. */
  constructor({ input, box, list, urls, onTake }) {
    this.#onTake = onTake;
    this.#input = input;
    this.#box = box;
    this.#list = list;
    this.#urls = urls;
    this.#listbox = new Listbox(input, list);
    list.addEventListener("pointerdown", (event) => event.preventDefault()); // the text field keeps the focus
    list.addEventListener("click", ({ target }) => this.#take(target.closest('[role="option"]')));
  }

  get isOpen() {
    return !this.#box.hidden;
  }

  async update() {
    const sought = this.#sought();
    const update = (this.#update += 1);
    const items = sought && (await this.#items(sought, () => update === this.#update));
    if (update !== this.#update) return null; // more was typed meanwhile
    if (!items) return this.close();
    const matching = (sought.sign === ASKED ? items : items.filter(({ name }) => matches(name, sought.word))).slice(0, MOST);
    if (!matching.length) return this.close();
    this.#span = sought;
    this.#list.replaceChildren(...optionsOf(matching, sought));
    this.#box.hidden = false;
    this.#listbox.first();
    return null;
  }

  /** What is still on its way comes too late. */
  close() {
    this.#update += 1;
    this.#box.hidden = true;
    this.#span = null;
    this.#listbox.activate(null);
    this.#list.replaceChildren();
  }

  /** True when the key was for the list. A command that is written out is sent by the key that sends. */
  key(event, isSend = false) {
    if (!this.isOpen || isComposing(event) || (isSend && this.#isWhole)) return false;
    if (this.#listbox.move(event)) return true;
    if (event.key === "Escape") this.close();
    else if ((event.key === "Enter" || event.key === "Tab") && !event.shiftKey && this.#listbox.active) this.#take(this.#listbox.active);
    else return false;
    event.preventDefault();
    return true;
  }

  get #isWhole() {
    return this.#span.sign === "/" && this.#listbox.active?.dataset.name === this.#span.word;
  }

  #take(option) {
    if (!option || option.ariaDisabled === "true" || !this.#span) return;
    const { start, end, sign } = this.#span;
    const { id, kind, name } = option.dataset;
    this.#input.focus();
    this.#input.setRangeText(`${sign}${name} `, start, end, "end");
    this.#taken.add(sign + name);
    this.#onTake?.({ sign, id, kind, name });
    this.close();
    this.#input.dispatchEvent(new Event("input", { bubbles: true }));
  }

  /** The word at the caret, when it begins with a sign that we complete. */
  #sought() {
    const { value, selectionStart: end, selectionEnd } = this.#input;
    if (end !== selectionEnd) return null;
    const before = value.slice(0, end);
    const found = /^(\/)(\S*)$/.exec(before) ?? /(?:^|[\s(])([@#])([^\s@#]{0,40}(?: [^\s@#]{1,40})?)$/.exec(before);
    if (!found || !this.#urls[found[1]]) return null;
    if ([...this.#taken].some((taken) => `${found[1]}${found[2]}`.startsWith(`${taken} `))) return null; // what follows is the sentence
    return { sign: found[1], word: found[2], start: end - found[2].length - 1, end };
  }

  async #items({ sign, word }, isWanted) {
    if (sign === ASKED) return this.#ask(word, isWanted);
    if (!this.#loaded.has(sign)) {
      const answer = request(this.#urls[sign]).then((found) => found.results ?? found).catch(() => null);
      this.#loaded.set(sign, answer);
      if (!(await answer)) this.#loaded.delete(sign);
    }
    return (await this.#loaded.get(sign)) ?? null;
  }

  /** Once nothing more was typed for a moment. */
  async #ask(word, isWanted) {
    await new Promise((resolve) => { setTimeout(resolve, ASK_AFTER_MS); });
    return isWanted() ? request(`${this.#urls[ASKED]}?q=${encodeURIComponent(word)}`).catch(() => null) : null;
  }
}

function optionsOf(items, { sign, word }) {
  let group = null;
  return items.flatMap((item) => {
    const heading = item.group ?? t(KINDS[item.kind ?? "command"]);
    const isNew = sign !== "/" && heading !== group;
    group = heading;
    return isNew ? [Object.assign(clone("t-group"), { textContent: heading }), optionOf(item, sign, word)] : [optionOf(item, sign, word)];
  });
}

function optionOf({ id, kind, name, help, note, icon: picture, allowed = true, reason }, sign, word) {
  const option = clone("t-option");
  const label = option.querySelector('[data-slot="label"]');
  const matched = document.createElement("mark");
  const at = Math.max(0, name.toLocaleLowerCase().indexOf(word.toLocaleLowerCase()));
  const length = name.toLocaleLowerCase().includes(word.toLocaleLowerCase()) ? word.length : 0; // found by what it says elsewhere
  const shown = sign === "/" ? "/" : "";
  matched.textContent = (at === 0 ? shown : "") + name.slice(at, at + length);
  label.append((at === 0 ? "" : shown) + name.slice(0, at), matched, name.slice(at + length));
  Object.assign(option.dataset, { name, ...(id && { id, kind }) });
  option.querySelector('[data-slot="note"]').textContent = help ?? note ?? "";
  option.querySelector('[data-slot="aside"]').textContent = allowed ? "" : (reason ?? "");
  if (picture) option.querySelector('[data-slot="icon"]').replaceChildren(icon(picture));
  if (!allowed) option.setAttribute("aria-disabled", "true");
  return option;
}

const matches = (name, word) => name.toLocaleLowerCase().split(/\s+/).some((part) => part.startsWith(word.toLocaleLowerCase()))
  || name.toLocaleLowerCase().startsWith(word.toLocaleLowerCase());
