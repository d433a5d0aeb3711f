// The words behind a value, marked where they were said, without touching the message: its HTML is the server's.

const NAME = "said";

export function unmarkWords() {
  globalThis.CSS?.highlights?.delete(NAME);
}

/** `nth`: how often the same words came before. Does nothing where the message is not on the page. */
export function markWords({ message, words, nth = "0" }) {
  unmarkWords();
  const article = message && document.getElementById(`m-${message}`);
  const range = article && rangeOf(article, words, Number(nth));
  if (!range) return;
  if (globalThis.Highlight) CSS.highlights.set(NAME, new Highlight(range));
  const { bottom, top } = range.getBoundingClientRect();
  if (top < 80 || bottom > innerHeight - 160) range.startContainer.parentElement?.scrollIntoView({ block: "center" });
}

/** Of these words in what the message says; white space counts once. */
export function rangeOf(article, words, nth = 0) {
  const { text, places } = plain(article);
  const sought = words.replace(/\s+/g, " ").trim();
  let at = -1;
  for (let count = 0; count <= nth; count += 1) {
    const next = text.indexOf(sought, at + 1);
    if (next < 0) break;
    at = next;
  }
  if (!sought || at < 0) return null;
  const range = document.createRange();
  range.setStart(...places[at]);
  const [node, offset] = places[at + sought.length - 1];
  range.setEnd(node, offset + 1);
  return range;
}

function plain(article) {
  let text = "";
  const places = [];
  for (const prose of article.querySelectorAll(":scope > .body > .prose")) {
    const walker = document.createTreeWalker(prose, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const { data } = walker.currentNode;
      for (let index = 0; index < data.length; index += 1) {
        const isSpace = /\s/.test(data.charAt(index));
        if (isSpace && text.endsWith(" ")) continue;
        text += isSpace ? " " : data.charAt(index);
        places.push([walker.currentNode, index]);
      }
    }
    text += " ";
    places.push(places.at(-1) ?? [prose, 0]);
  }
  return { text, places };
}
