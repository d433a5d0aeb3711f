// Keys of a conversation. Single letters work only while a message itself has the focus, and can be turned off.

import { isComposing, isEditable } from "core/dom";

const IS_MAC = /Mac|iPhone|iPad/.test(navigator.platform);
const LETTERS = ["e", "r", "c"]; // as the menu of a message has them

/** `does`: {canStop(), stop(), editLast(), choose(article, letter)}. Answers a function that takes the listener away. */
export function listen({ root, articles, hasSingleKeys, does }) {
  const pressed = (event) => {
    const action = event.defaultPrevented || isComposing(event) ? null : actionOf(event);
    if (!action) return;
    event.preventDefault();
    action();
  };

  function actionOf(event) {
    const hasMod = (IS_MAC ? event.metaKey : event.ctrlKey) && !event.altKey && !event.shiftKey;
    const isPlain = !event.metaKey && !event.ctrlKey && !event.altKey && !event.shiftKey;
    const isAlt = event.altKey && !event.metaKey && !event.ctrlKey && !event.shiftKey;
    if (isAlt && (event.key === "ArrowUp" || event.key === "ArrowDown")) return () => go(event.key === "ArrowUp" ? -1 : 1);
    if (hasMod && event.key === "e") return does.editLast;
    if (event.key === "Escape" && isPlain) return escape(event);
    const { target } = event;
    if (isPlain && target.matches?.("article.message") && hasSingleKeys && LETTERS.includes(event.key)) {
      return () => does.choose(target, event.key);
    }
    if (isPlain && target.closest?.(".siblings") && (event.key === "ArrowLeft" || event.key === "ArrowRight")) return () => turn(event);
    return null;
  }

  function escape({ target }) {
    if (document.querySelector("dialog[open], [popover]:not([popover=manual]):popover-open")) return null;
    if (isEditable(target) && (target.id !== "draft" || target.value)) return null;
    return does.canStop() ? does.stop : null;
  }

  /** From the composer upwards to the newest message, and from there to its neighbours. */
  function go(step) {
    const all = articles().filter((article) => article.checkVisibility());
    const at = all.indexOf(document.activeElement?.closest("article.message"));
    if (at < 0 && step > 0) return;
    const target = at < 0 ? all.at(-1) : all[at + step];
    if (!target && step > 0) document.getElementById("draft")?.focus();
    target?.focus();
    target?.scrollIntoView({ block: "nearest" });
  }

  function turn({ key, target }) {
    const [earlier, later] = target.closest(".siblings").querySelectorAll("button");
    (key === "ArrowLeft" ? earlier : later).click();
  }

  root.addEventListener("keydown", pressed);
  return () => root.removeEventListener("keydown", pressed);
}

/** What may be done with a message. What was just sent does not say it yet: one's own words may be edited. */
export const canOf = ({ can, message, mine }) => (can ?? (message && mine !== undefined ? "edit" : "")).split(" ");

/** One's newest message that may be edited. */
export function lastEditable(articles) {
  return articles.findLast(({ dataset }) => "mine" in dataset && canOf(dataset).includes("edit"));
}
