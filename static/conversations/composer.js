// The text being written: its draft, its size, and what a sending key is. No element but the text field.

import { debounce, isComposing } from "core/dom";
import { read, watch, write } from "core/storage";

const KEEP_MS = 300;

/** What is written, kept per member and conversation, so that it outlives reload, sign-out and lost network. Several tabs may show it. */
export class Draft {
  #name;
  #composer;
  #stopWatching;
  #kept = "null"; // what is kept, as this tab last read or wrote it
  #taken = "null"; // what this tab last took from there
  save;

  /** `composer`: {inputTarget, files, named, changed()}. */
  constructor(name, composer) {
    this.#name = `draft:${name}`;
    this.#composer = composer;
    this.save = debounce(() => this.saveNow(), KEEP_MS);
    this.#stopWatching = watch(this.#name, () => this.#takeOver());
    addEventListener("pagehide", this.saveNow);
    document.addEventListener("visibilitychange", this.#visibilityChanged);
  }

  disconnect() {
    this.#stopWatching();
    removeEventListener("pagehide", this.saveNow);
    document.removeEventListener("visibilitychange", this.#visibilityChanged);
  }

  /** Words that were typed before this was there are newer. */
  restore() {
    const { inputTarget: input } = this.#composer;
    const { value: typed } = input;
    this.#take(read(this.#name));
    if (typed) input.value = typed;
    this.#composer.changed();
  }

  /** Only what was changed here: the words of another tab are replaced by words alone, not by there being none. */
  saveNow = () => {
    const content = keptOf(this.#composer);
    const now = JSON.stringify(content);
    if (now === this.#kept) return;
    if (content === null && JSON.stringify(read(this.#name)) !== this.#kept) return;
    write(this.#name, content);
    this.#kept = now;
  };

  #visibilityChanged = () => {
    this.saveNow();
    if (document.visibilityState === "visible") this.#takeOver();
  };

  /** What another tab has kept meanwhile. What was typed here stays. */
  #takeOver() {
    const { inputTarget, files } = this.#composer;
    const content = keptOf(this.#composer);
    const isTyped = content !== null && JSON.stringify(content) !== this.#taken;
    const kept = read(this.#name);
    if (isTyped || isSensitive(inputTarget) || files.areUploading || JSON.stringify(kept) === this.#kept) return;
    this.#take(kept);
    this.#composer.changed();
  }

  /** Nobody typed it now: no `input` event, which would open the list of commands or tell others of typing. */
  #take(kept) {
    const { inputTarget, files, named } = this.#composer;
    this.#kept = this.#taken = JSON.stringify(kept);
    for (const each of kept?.references ?? []) named.add(each);
    inputTarget.value = kept?.text ?? "";
    files.clear();
    files.restore(kept?.files ?? []);
  }
}

/** `key` is the member's preference: `enter` or `mod-enter`. Shift+Enter is always a line. */
export function isSendKey(event, key) {
  if (event.key !== "Enter" || isComposing(event) || event.shiftKey || event.altKey) return false;
  const hasMod = event.ctrlKey || event.metaKey;
  return key === "mod-enter" ? hasMod : true; // with `enter`, Ctrl+Enter sends as well
}

/** Grow with the text; CSS says how far. */
export function fit(input) {
  if (CSS.supports("field-sizing", "content")) return;
  input.rows = 1;
  const line = parseFloat(getComputedStyle(input).lineHeight);
  input.rows = Math.min(Math.max(Math.round(input.scrollHeight / line), 1), 12);
}

/** What a draft keeps, null for nothing: of what is said to be sensitive, which stays in the page until it is sent, too. */
function keptOf({ inputTarget: input, files, named }) {
  const [text, shown] = [input.value, files?.shown ?? []];
  if (isSensitive(input) || (!text && !shown.length)) return null;
  return { text, files: shown, references: named.said(text) };
}

const isSensitive = (input) => Boolean(input.form.elements.sensitive?.checked);

const MOST_NAMED = 10;

/** What was chosen after a `#`. It is part of the message as long as the words say it. */
export class Named {
  #items = new Map();

  add({ sign = "#", kind, id, name }) {
    if (sign === "#" && id) this.#items.set(name, { kind, id, name });
  }

  said(text) {
    return [...this.#items.values()].filter(({ name }) => text.includes(`#${name}`)).slice(0, MOST_NAMED);
  }

  /** `{references}` of a message with these words, or nothing. */
  in(text) {
    const references = this.said(text).map(({ kind, id }) => ({ kind, id }));
    return references.length ? { references } : {};
  }
}

/**
 * What the box says of the next message: `{sensitive}`, or nothing, which is to say: as the message before it. It stays as it is
 * for the next one.
 */
export function markIn({ elements: { sensitive: box } }) {
  if (!box || box.disabled || (!box.checked && !box.defaultChecked)) return {};
  box.defaultChecked = box.checked;
  return { sensitive: box.checked };
}

/** `/name the rest` → {name, arguments}; null when it is not a command. */
export function commandIn(text) {
  const found = /^\/([a-z][a-z-]*)(?:\s+([\s\S]*))?$/.exec(text.trim());
  return found && { name: found[1], arguments: (found[2] ?? "").trim() };
}

/** A sign that begins a completion, as a word of its own. */
export function insertSign(input, sign) {
  input.focus();
  const { selectionStart: at, selectionEnd: end, value } = input;
  const space = at && !/\s$/.test(value.slice(0, at)) ? " " : "";
  input.setRangeText(space + sign, at, end, "end");
}

/** Whoever was chosen, if anybody, for all that is written here: what is said to people alone is not theirs to answer. */
export const standing = (answerer) => answerer && (answerer.model || answerer.agent) && { ...answerer, unless_to_people: true };

export const nameOf = (answerer) => answerer.querySelector('[data-slot="label"]').firstChild.textContent.trim();

export function showAnswerer(answerer, label, note) {
  const soft = Object.assign(document.createElement("span"), { className: "soft wide", textContent: note ? `· ${note}` : "" });
  answerer.querySelector('[data-slot="label"]').replaceChildren(`${label} `, soft);
}

/** One button where another was; the focus goes along. */
export function showInPlaceOf(button, other) {
  const hadFocus = document.activeElement === other;
  [button.hidden, other.hidden] = [false, true];
  if (hadFocus) button.focus();
}
