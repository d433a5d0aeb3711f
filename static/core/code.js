// Code blocks and tables after rendering: buttons, a name for screen readers, colours. Colours come late and only to what
// is near the screen; the highlighter is loaded with the first block that needs it.

import { copyText } from "core/clipboard";
import { clone, fill, slot } from "core/dom";
import { sanitize } from "core/markup";
import { t } from "core/words";

const FOLD_AFTER_LINES = 24;
const COLOUR_UP_TO_CHARACTERS = 50_000;
const COLOUR_AT_ONCE_CHARACTERS = 4000; // so that an answer keeps its colours when the server's HTML takes its place
const COPIED_MS = 2000;

let highlighter = null;

const nearby = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    nearby.unobserve(target);
    colour(target.querySelector("code"));
  }
}, { rootMargin: "600px" });

/** Everything in `root` (or `root` itself) that is finished and not decorated yet. */
export function decorate(root) {
  for (const figure of within(root, "figure.code:not([data-ready])")) decorateCode(figure);
  for (const box of within(root, "div.scroll-x:not([role])")) {
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", t("table"));
  }
}

function decorateCode(figure) {
  const label = figure.querySelector("header > span").textContent;
  figure.dataset.ready = "";
  const tools = clone("t-code-tools");
  tools.querySelector('[data-do="wrap"]').addEventListener("click", wrap);
  tools.querySelector('[data-do="copy"]').addEventListener("click", copy);
  figure.querySelector("header").append(tools);
  if (!label) figure.querySelector("header > span").textContent = t("code");
  const code = figure.querySelector("pre");
  code.setAttribute("aria-label", label || t("code"));
  code.setAttribute("role", "region");
  const lines = code.textContent.trimEnd().split("\n").length;
  if (lines > FOLD_AFTER_LINES) fold(figure, lines - FOLD_AFTER_LINES);
  if (highlighter && code.textContent.length < COLOUR_AT_ONCE_CHARACTERS) colour(code.querySelector("code"));
  else nearby.observe(figure);
}

function fold(figure, hiddenLines) {
  const button = clone("t-unfold");
  figure.dataset.folded = "";
  figure.dataset.hiddenLines = hiddenLines;
  button.setAttribute("aria-expanded", "false");
  fill(button, { text: t("more_lines", { count: hiddenLines }) });
  button.addEventListener("click", () => toggleFold(figure));
  figure.append(button);
}

function toggleFold(figure) {
  const isFolded = figure.toggleAttribute("data-folded");
  const button = figure.querySelector(".unfold");
  button.setAttribute("aria-expanded", String(!isFolded));
  slot(button, "text").textContent = isFolded ? t("more_lines", { count: Number(figure.dataset.hiddenLines) }) : t("fewer_lines");
}

function wrap({ currentTarget: button }) {
  button.setAttribute("aria-pressed", String(button.closest("figure").toggleAttribute("data-wrapped")));
}

async function copy({ currentTarget: button }) {
  if (!(await copyText(button.closest("figure").querySelector("code").textContent.replace(/\n$/, "")))) return;
  const { title } = button;
  button.title = t("copied");
  button.dataset.copied = "";
  setTimeout(() => {
    button.title = title;
    delete button.dataset.copied;
  }, COPIED_MS);
}

function colour(code) {
  const language = /language-(\S+)/.exec(code.className)?.[1].toLowerCase();
  if (!language || code.textContent.length > COLOUR_UP_TO_CHARACTERS) return;
  if (!highlighter) {
    import("highlight.js").then((module) => {
      highlighter = module.default;
      colour(code);
    });
    return;
  }
  if (!highlighter.getLanguage(language)) return;
  const title = code.closest("figure").querySelector("header > span");
  title.textContent = title.textContent.replace(/^\S+/, highlighter.getLanguage(language).name.split(",")[0]);
  code.replaceChildren(sanitize(highlighter.highlight(code.textContent, { language, ignoreIllegals: true }).value));
}

function within(root, selector) {
  return root.matches(selector) ? [root] : root.querySelectorAll(selector);
}
