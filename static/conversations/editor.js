// The editor that opens in the place of one's own words.

import { Completion } from "conversations/completion";
import { Named } from "conversations/composer";
import { newClientId } from "conversations/outbox";
import { clone, slot } from "core/dom";

const writing = new WeakMap(); // by form: it may go over to another article

/** Opens and takes the focus at once, so that what is typed next does not land elsewhere; the message may still be on its way. */
export async function openEditor(article, message, referencesUrl = "") {
  if (article.querySelector("form.edit")) {
    slot(article, "input").focus();
    return;
  }
  const form = clone("t-edit");
  const input = slot(form, "input");
  input.id = `edit-${article.dataset.message}`;
  slot(form, "label").htmlFor = input.id;
  input.readOnly = true;
  complete(form, input, referencesUrl);
  for (const part of shownParts(article)) part.hidden = true;
  article.querySelector(".body").prepend(form);
  input.focus();
  try {
    const { content, parts } = await message;
    Object.assign(writing.get(form), { before: content, kept: parts.filter(({ type }) => type === "reference") });
    input.value = content;
    input.readOnly = false;
    input.setSelectionRange(input.value.length, input.value.length);
  } catch (error) {
    if (form.isConnected) closeEditor(form.closest("article")); // it may have come anew, or been closed, meanwhile
    throw error;
  }
}

/** What follows `#`, as in the composer. */
function complete(form, input, url) {
  const [named, list] = [new Named(), slot(form, "options")];
  list.id = `${input.id}-options`;
  input.setAttribute("aria-controls", list.id);
  const onTake = (item) => named.add(item);
  const completion = new Completion({ input, box: slot(form, "completion"), list, urls: { "#": url }, onTake });
  input.addEventListener("input", () => completion.update());
  input.addEventListener("keydown", (event) => completion.key(event) && event.stopImmediatePropagation());
  writing.set(form, { named, before: "", kept: [] });
}

/**
 * The body of an edit, to be answered by `answerer`. The same words for the same one have the same `client_id`: sent again after a
 * lost answer, they are one edit.
 */
export function writtenIn(form, content, answerer) {
  const of = writing.get(form);
  const body = { content, ...namedIn(form, content), ...answerer };
  const written = JSON.stringify(body);
  if (of.written !== written) Object.assign(of, { written, clientId: newClientId() });
  return { client_id: of.clientId, ...body };
}

/** `{references}` where something was chosen here: what was named before stays, as far as the words still say it. Else nothing, and the server keeps it. */
function namedIn(form, content) {
  const { named, before, kept } = writing.get(form);
  const { references } = named.in(content);
  if (!references) return {};
  const still = kept.filter(({ title }) => content.includes(`#${title}`) || !before.includes(`#${title}`));
  return { references: [...still.map(({ kind, id }) => ({ kind, id })), ...references] };
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
