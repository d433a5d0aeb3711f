// Markdown that grows. Only the last block of a text can still change, so only that one is rendered again; blocks before it
// are settled for good. Call `append` as often as words come and `render` at most once a frame.

import { isPlain, parseBlocks, render, renderTokens } from "core/markup";

export class StreamingMarkup {
  #element;
  #onSettled;
  #text = "";
  #held = "";
  #settled = 0; // where, in the text, the last block begins
  #env = { headings: [], references: {} }; // what settled blocks tell the ones after them
  #live = []; // nodes of the blocks that are not settled
  #caret = null;

  /** `onSettled(elements)` is called once for each block that will not change any more, in order. */
  constructor(element, { caret = false, onSettled = () => {} } = {}) {
    this.#element = element;
    this.#onSettled = onSettled;
    if (caret) {
      this.#caret = document.createElement("span");
      this.#caret.className = "caret";
    }
    element.replaceChildren();
  }

  get text() {
    return this.#text + this.#held;
  }

  append(text) {
    const whole = this.#held + text;
    this.#held = whole.endsWith("\r") ? "\r" : ""; // it may be half of a line end
    this.#text += whole.slice(0, whole.length - this.#held.length).replace(/\r\n?/g, "\n");
  }

  render() {
    this.#caret?.remove();
    if (isPlain(this.#text)) this.#renderPlain();
    else this.#renderTail();
    if (this.#caret) lastTextHolder(this.#element).append(this.#caret);
  }

  /** The whole text once more: a link may have been defined after it was used. */
  finish() {
    this.#caret = null;
    this.#element.replaceChildren(render(this.text));
    this.#onSettled([...this.#element.children]);
  }

  #renderTail() {
    const tail = this.#text.slice(this.#settled);
    const env = { headings: [...this.#env.headings], references: { ...this.#env.references } };
    const blocks = parseBlocks(tail, env);
    if (this.#growCode(blocks)) return;
    const fragments = blocks.map((block) => [...renderTokens(block.tokens, env).childNodes]);
    this.#replaceLive(fragments.flat());
    if (blocks.length > 1) this.#settle(tail, lineStart(tail, blocks.at(-1).line), fragments);
  }

  /** Settle all but the last block, once its first line is whole: half a line may yet turn out to continue a paragraph. */
  #settle(tail, start, fragments) {
    if (!tail.slice(start).trimStart().includes("\n")) return;
    parseBlocks(tail.slice(0, start), this.#env);
    this.#settled += start;
    const nodes = fragments.slice(0, -1).flat().length;
    const settled = this.#live.splice(0, nodes);
    this.#onSettled(settled.filter((node) => node.nodeType === Node.ELEMENT_NODE));
  }

  /** Keep what is equal, so that a selection, a focus or a scrolled table above the last words survives. */
  #replaceLive(nodes) {
    let same = 0;
    while (same < nodes.length && this.#live[same]?.isEqualNode(nodes[same])) same += 1;
    for (const node of this.#live.splice(same)) node.remove();
    const added = nodes.slice(same);
    this.#element.append(...added);
    this.#live.push(...added);
  }

  /** A long code block grows in place: rendering it again for each word would cost its whole length. */
  #growCode(blocks) {
    const [block] = blocks;
    const code = this.#live[0]?.querySelector?.(":scope > pre > code");
    if (blocks.length !== 1 || block.tokens[0].type !== "fence" || !code?.firstChild || code.childNodes.length > 1) return false;
    const { content } = block.tokens[0];
    if (!content.startsWith(code.firstChild.data)) return false;
    code.firstChild.appendData(content.slice(code.firstChild.length));
    return true;
  }

  #renderPlain() {
    const shown = this.#element.querySelector(":scope > pre:only-child")?.firstChild;
    if (shown && this.#text.startsWith(shown.data)) shown.appendData(this.#text.slice(shown.length));
    else this.#element.replaceChildren(render(this.#text));
    this.#live = [];
    this.#settled = 0;
  }
}

function lineStart(text, line) {
  let start = 0;
  for (let passed = 0; passed < line; passed += 1) start = text.indexOf("\n", start) + 1;
  return start;
}

function lastTextHolder(element) {
  const holders = "P,LI,UL,OL,BLOCKQUOTE,DIV,TABLE,TBODY,THEAD,TR,TD,TH,FIGURE,PRE,CODE,H2,H3,H4,H5,H6".split(",");
  let holder = element;
  while (holder.lastElementChild && holders.includes(holder.lastElementChild.tagName)
    && !(holder.lastChild.nodeType === Node.TEXT_NODE && holder.lastChild.data.trim())) holder = holder.lastElementChild;
  return holder;
}
