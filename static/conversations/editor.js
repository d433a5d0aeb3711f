// The editor that opens in the place of one's own words.

import { clone, slot } from "core/dom";

/** Opens and takes the focus at once, so that what is typed next does not land elsewhere; `content` may still be on its way. */
export async function openEditor(article, content) {
  if (article.querySelector("form.edit")) {
    slot(article, "input").focus();
    return;
  }
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
    if (form.isConnected) closeEditor(form.closest("article")); // it may have come anew, or been closed, meanwhile
    throw error;
  }
}

/**
 * The server's HTML takes the place of an article in which somebody is writing: the editor goes over with its words. Answers
 * what puts the focus and the selection back, for when `fresh` is in the document.
 */
export function carryEditor(article, fresh) {
  const form = article.querySelector("form.edit");
  if (!form || !fresh.dataset.can?.split(" ").includes("edit")) return () => null;
  const { activeElement: focused } = document;
  const hadFocus = form.contains(focused);
  const input = slot(form, "input");
  const { selectionStart, selectionEnd } = input;
  for (const part of shownParts(fresh)) part.hidden = true;
  fresh.querySelector(".body").prepend(form);
  return () => {
    if (!hadFocus) return;
    focused.focus({ preventScroll: true });
    input.setSelectionRange(selectionStart, selectionEnd);
  };
}

export function closeEditor(article) {
  article.querySelector("form.edit")?.remove();
  for (const part of shownParts(article)) part.hidden = false;
  article.focus();
}

const shownParts = (article) => article.querySelectorAll(".body > :not(.files, form.edit)");
