// From words selected on the page to their place in the message: what is shown is drawn from Markdown, so only the words are compared.

const WORD = /[\p{L}\p{N}]+/gu;

/** {article, text, nth}: the words selected in an article, and how often the same words came before them in it. */
export function selectedIn(article) {
  const selection = getSelection();
  if (!selection || selection.isCollapsed || !selection.rangeCount) return null;
  const range = selection.getRangeAt(0);
  const body = article.querySelector(":scope > .body");
  const text = selection.toString().trim();
  if (!text || !body?.contains(range.commonAncestorContainer) || range.commonAncestorContainer.parentElement?.closest(".extraction")) return null;
  const before = document.createRange();
  before.setStart(body, 0);
  before.setEnd(range.startContainer, range.startOffset);
  return { article: article.id, text, nth: matches(before.toString(), text).length };
}

/** {start, end} in code points, or null where the words are not to be found. */
export function placeOf(content, { text, nth }) {
  const found = matches(content, text);
  const match = found.at(nth) ?? found.at(-1);
  if (!match) return null;
  const start = [...content.slice(0, match.index)].length;
  return { start, end: start + [...match[0]].length };
}

function matches(content, text) {
  const words = text.match(WORD);
  if (!words) return [];
  return [...content.matchAll(new RegExp(words.join("[^\\p{L}\\p{N}]+"), "gu"))];
}
