// The editor that opens in the place of one's own words.

import { clone, slot } from "core/dom";

/** Opens and takes the focus at once, so that what is typed next does not land elsewhere; `content` may still be on its way. */
export async function openEditor(article, content) {
  if (article.querySelector("form.edit")) return;
  const form = clone("t-edit");
  const input = slot(form, "input");
  input.id = `edit-${article.dataset.message}`;
  slot(form, "label").htmlFor = input.id;
  input.readOnly = true;
  for (const part of shownParts(article)) part.hidden = true;
  article.querySelector(".body").prepend(form);
  input.focus();
  try {
    input.value = await content;
    input.readOnly = false;
    input.setSelectionRange(input.value.length, input.value.length);
  } catch (error) {
    closeEditor(article);
    throw error;
  }
}

export function closeEditor(article) {
  article.querySelector("form.edit")?.remove();
  for (const part of shownParts(article)) part.hidden = false;
  article.focus();
}

const shownParts = (article) => article.querySelectorAll(".body > :not(.files, form.edit)");
