// The editor that opens in the place of one's own words.

import { clone, slot } from "core/dom";

export function openEditor(article, content) {
  if (article.querySelector("form.edit")) return;
  const form = clone("t-edit");
  const input = slot(form, "input");
  input.value = content;
  for (const part of shownParts(article)) part.hidden = true;
  article.querySelector(".body").prepend(form);
  input.focus();
  input.setSelectionRange(content.length, content.length);
}

export function closeEditor(article) {
  article.querySelector("form.edit")?.remove();
  for (const part of shownParts(article)) part.hidden = false;
  article.focus();
}

const shownParts = (article) => article.querySelectorAll(".body > :not(.files, form.edit)");
