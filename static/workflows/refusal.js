import { icon } from "core/dom";

/** What the server says of a stage that cannot begin: its words, and what is missing. */
export function refusalOf({ message, more }, stage) {
  const missing = more?.missing ?? [];
  const note = Object.assign(document.createElement("div"), { className: "notice refusal" });
  note.dataset.kind = missing.length ? "warn" : "bad";
  const words = Object.assign(document.createElement("div"), { className: "grow", textContent: message });
  const list = document.createElement("ul");
  list.append(...missing.map((text) => lineOf(text, stage)));
  if (missing.length) words.append(list);
  note.append(icon("circle-alert"), words);
  return note;
}

/** What is missing, with the way to it that the stage showed. */
function lineOf(text, stage) {
  const line = Object.assign(document.createElement("li"), { textContent: text });
  const said = [...(stage?.querySelectorAll(".missing span") ?? [])].find((each) => each.firstChild.textContent.trim() === text);
  const way = said?.querySelector("a")?.cloneNode(true);
  if (way) line.append(" ", way);
  return line;
}
