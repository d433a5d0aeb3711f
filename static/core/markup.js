// Markdown to safe DOM, the same language as apps/core/markup.py: one corpus (tests/corpus/markup) runs through both.
// What arrives word by word is rendered here; the server's HTML replaces it at the end. This is the only module that
// turns text into markup. DOMPurify hands over nodes, so no script of ours ever assigns innerHTML.

import DOMPurify from "dompurify";
import MarkdownIt from "markdown-it";

const PLAIN_FROM_CHARACTERS = 100_000;
const PLAIN_FROM_BRACKETS = 20_000;

const ALLOWED_LINK = /^(?:https?:\/\/[^/?#]|mailto:.)/i;
const HOST = /^https?:\/\/(?:[^/?#]*@)?([^/?#@]+)/i;
// Written out by code point, because "white space" means different sets in Python and in JavaScript.
// eslint-disable-next-line no-control-regex
const BARE_LINK = /https?:\/\/[^\x00-\x20\x7f-\xa0\u2000-\u206f\u3000-\u303f\uff00-\uffef<>"`{}|\\^[\]]+/gi;
const AFTER_LINK = ".,;:!?'*_~";
const LANGUAGE = /^[A-Za-z0-9][A-Za-z0-9+#._-]{0,30}/;
const TASK = /^\[([ xX])\] /;
const LINK_ATTRIBUTES = [["rel", "nofollow noopener noreferrer"], ["target", "_blank"]];

const SANITIZER = {
  ALLOWED_TAGS: [
    "a", "blockquote", "br", "code", "div", "em", "figure", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "ol", "p",
    "pre", "s", "small", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul", "#text",
  ],
  ALLOWED_ATTR: ["class", "data-align", "data-done", "href", "rel", "scope", "start", "tabindex", "target", "title"],
  ADD_URI_SAFE_ATTR: ["data-align", "data-done", "rel", "scope", "start", "tabindex", "target"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

const escape = (text) => markdown.utils.escapeHtml(text);
const escapeText = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const count = (text, character) => text.split(character).length - 1;

function numberHeadings(state) {
  const open = state.env.headings ?? [];
  for (const token of state.tokens) {
    if (token.type === "heading_open") {
      const level = Number(token.tag[1]);
      while (open.length && open.at(-1) >= level) open.pop();
      open.push(level);
    }
    if (token.type === "heading_open" || token.type === "heading_close") token.tag = `h${Math.min(open.length + 1, 6)}`;
  }
}

function markTasks(state) {
  state.tokens.forEach((token, index) => {
    const opener = state.tokens[index - 2];
    const first = token.children?.[0];
    if (token.type !== "inline" || opener?.type !== "list_item_open" || first?.type !== "text") return;
    const task = TASK.exec(first.content);
    if (!task) return;
    const box = new state.Token("task", "span", 0);
    box.content = task[1] === " " ? "☐" : "☑";
    box.meta = { done: task[1] === " " ? "false" : "true" };
    first.content = first.content.slice(3);
    token.children.unshift(box);
    opener.attrSet("class", "task");
  });
}

function finishLinks(state) {
  for (const block of state.tokens) {
    if (block.type !== "inline") continue;
    let insideLink = false;
    block.children = block.children.flatMap((token) => {
      if (token.type === "link_open") {
        insideLink = true;
        for (const [name, value] of LINK_ATTRIBUTES) token.attrSet(name, value);
      } else if (token.type === "link_close") insideLink = false;
      else if (token.type === "image") token.meta = { insideLink };
      else if (token.type === "text" && !insideLink) return splitBareLinks(state, token);
      return [token];
    });
  }
}

function splitBareLinks(state, token) {
  const text = (content) => Object.assign(new state.Token("text", "", 0), { content });
  const found = [];
  let end = 0;
  for (const match of token.content.matchAll(BARE_LINK)) {
    const address = trimAddress(match[0]);
    const href = state.md.normalizeLink(address);
    if (!state.md.validateLink(href)) continue;
    const open = new state.Token("link_open", "a", 1);
    open.attrs = [["href", href], ...LINK_ATTRIBUTES];
    found.push(text(token.content.slice(end, match.index)), open, text(address), new state.Token("link_close", "a", -1));
    end = match.index + address.length;
  }
  return found.length ? [...found, text(token.content.slice(end))] : [token];
}

function trimAddress(address) {
  let end = address.length;
  const trim = () => { while (end && AFTER_LINK.includes(address[end - 1])) end -= 1; };
  trim();
  let unmatched = count(address.slice(0, end), ")") - count(address.slice(0, end), "(");
  while (unmatched > 0 && address[end - 1] === ")") {
    end -= 1;
    trim();
    unmatched -= 1;
  }
  return address.slice(0, end);
}

function renderImage(tokens, index, options, env, renderer) {
  const token = tokens[index];
  const alternative = escape(renderer.renderInlineAsText(token.children ?? [], options, env));
  const source = token.attrGet("src");
  const host = HOST.exec(source);
  if (!host || token.meta.insideLink) return alternative;
  const attributes = LINK_ATTRIBUTES.map(([name, value]) => ` ${name}="${value}"`).join("");
  return `<a class="remote-image" href="${escape(source)}"${attributes}>${alternative} <small>${escape(host[1])}</small></a>`;
}

function renderCode(tokens, index) {
  const info = trimBlanks(markdown.utils.unescapeAll(tokens[index].info));
  const space = info.indexOf(" ");
  const language = LANGUAGE.exec(space < 0 ? info : info.slice(0, space))?.[0] ?? "";
  const rest = space < 0 ? "" : [...trimBlanks(info.slice(space))].slice(0, 100).join("");
  const label = escape([language, rest].filter(Boolean).join(" · "));
  const languageClass = language ? ` class="language-${language}"` : "";
  return `<figure class="code"><header><span>${label}</span></header>`
    + `<pre tabindex="0"><code${languageClass}>${escapeText(tokens[index].content)}</code></pre></figure>\n`;
}

const trimBlanks = (text) => text.replace(/^[ \t]+/, "").replace(/[ \t]+$/, "");

function renderCell(tokens, index) {
  const { tag } = tokens[index];
  const align = (tokens[index].attrGet("style") ?? "").replace(/^text-align:/, "");
  return `<${tag}${tag === "th" ? ' scope="col"' : ""}${align ? ` data-align="${align}"` : ""}>`;
}

function build() {
  const parser = new MarkdownIt("commonmark", { html: false, breaks: true, linkify: false, typographer: false, maxNesting: 100 });
  parser.enable(["table", "strikethrough"]);
  parser.validateLink = (url) => ALLOWED_LINK.test(url);
  parser.core.ruler.push("number_headings", numberHeadings);
  parser.core.ruler.push("mark_tasks", markTasks);
  parser.core.ruler.push("finish_links", finishLinks);
  Object.assign(parser.renderer.rules, {
    image: renderImage,
    fence: renderCode,
    code_block: renderCode,
    task: (tokens, index) => `<span class="tick" data-done="${tokens[index].meta.done}">${tokens[index].content}</span>`,
    th_open: renderCell,
    td_open: renderCell,
    table_open: () => '<div class="scroll-x" tabindex="0"><table>\n',
    table_close: () => "</table></div>\n",
  });
  return parser;
}

const markdown = build();

/** True when the text is shown as it was written, because Markdown would cost more than a page may wait for. */
export function isPlain(text) {
  return text.length > PLAIN_FROM_CHARACTERS || count(text, "[") > PLAIN_FROM_BRACKETS;
}

/** Nodes that are safe to put into the page. */
export function render(text) {
  if (isPlain(text)) return sanitize(`<pre tabindex="0">${escapeText(text.replaceAll("\0", "\ufffd"))}</pre>\n`);
  return sanitize(markdown.render(text, {}));
}

/** The top-level blocks of a text: `tokens` of each, and the line where each begins. For the streaming renderer. */
export function parseBlocks(text, env) {
  const blocks = [];
  for (const token of markdown.parse(text, env)) {
    if (token.level === 0 && token.nesting >= 0) blocks.push({ line: token.map[0], tokens: [] });
    blocks.at(-1).tokens.push(token);
  }
  return blocks;
}

export function renderTokens(tokens, env) {
  return sanitize(markdown.renderer.render(tokens, markdown.options, env));
}

/** Nodes for HTML that another library made from text (a highlighter); everything unknown is dropped. */
export function sanitize(html) {
  return DOMPurify.sanitize(html, SANITIZER);
}
