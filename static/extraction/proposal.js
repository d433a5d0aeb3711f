import { isEditable } from "core/dom";
import { fetchElements } from "core/http";
import { t } from "core/words";
import { numberOf } from "extraction/numbers";

const KEYS = new Map([["a", "accept"], ["e", "edit"], ["r", "reject"]]);

/** What a letter does while the card itself has the focus, as those of a message do. */
export function actionOf(event, card) {
  const isPlain = !event.metaKey && !event.ctrlKey && !event.altKey && !event.shiftKey;
  if (!isPlain || event.target !== card || isEditable(event.target) || document.body.dataset.singleKeys === "off") return null;
  const does = KEYS.get(event.key);
  return does === "accept" && card.querySelector(".near") ? "keepBoth" : does;
}

/** The card as the server draws it now, in its place; null when it is gone. */
export async function redraw(card, url) {
  const [fresh] = (await fetchElements(url)) ?? [];
  if (!fresh) return null;
  const hadFocus = card.contains(document.activeElement);
  card.removeAttribute("data-editing");
  card.replaceWith(fresh);
  fresh.dispatchEvent(new CustomEvent("proposal:decided", { bubbles: true, detail: { hadFocus } }));
  if (hadFocus && !document.activeElement?.closest("[data-proposal]")) fresh.focus({ preventScroll: true });
  return fresh;
}

/** Marks the fields that the server found wrong; returns what it says of fields that are not shown. */
export function showWrong(card, error) {
  for (const wrong of card.querySelectorAll("[data-wrong]")) wrong.hidden = true;
  const unsaid = (error.errors ?? []).filter(({ field, detail }) => !wrongAt(card, field, detail));
  return unsaid.map(({ detail }) => detail).filter((detail) => detail !== error.message);
}

function wrongAt(card, field, detail) {
  const name = field.replace(/^data\./, "").split(".")[0];
  const place = card.querySelector(`[data-wrong="${CSS.escape(name)}"]`);
  if (!place) return false;
  place.hidden = false;
  place.querySelector("span").textContent = detail;
  place.parentElement.querySelector("[data-was]")?.setAttribute("aria-invalid", "true");
  return true;
}

export function noticeOf(text, kind) {
  const note = document.createElement("p");
  note.className = "notice";
  note.dataset.kind = kind;
  note.textContent = text;
  return note;
}

/** Who decided first, and the values that were typed here. */
export function lostOf({ message, more }, data) {
  const said = more.decided_by ? t("decided_by_other", { name: more.decided_by }) : message;
  const values = Object.values(data ?? {}).map(String).join(", ");
  const note = noticeOf(values ? `${said} ${t("your_values", { values })}` : said, "warn");
  note.classList.add("lost");
  note.setAttribute("role", "alert");
  return note;
}

/** As JSON wants it; an emptied field is taken away. */
export function valueOf({ value, dataset: { type } }) {
  const text = value.trim();
  if (!text) return null;
  if (type === "lines") return text.split("\n").map((line) => line.trim()).filter(Boolean);
  if (type === "boolean") return text === "true";
  if (type === "json") {
    try {
      return JSON.parse(text);
    } catch {
      throw new Error(t("not_json"));
    }
  }
  if (type !== "integer" && type !== "number") return text;
  return numberOf(text, { isWhole: type === "integer" }) ?? text;
}
