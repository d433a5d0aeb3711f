// What the editor says above the file.

import { icon } from "core/dom";

/** `action`: {label, does}, a button at its end. */
export function noteOf(text, kind, action = null) {
  const note = document.createElement("p");
  note.className = "notice";
  note.dataset.kind = kind;
  note.setAttribute("role", kind === "bad" ? "alert" : "status");
  note.append(icon(kind === "good" ? "check" : "circle-alert"), Object.assign(document.createElement("span"), { className: "grow", textContent: text }));
  if (action) {
    const button = Object.assign(document.createElement("button"), { className: "button small", type: "button", textContent: action.label });
    button.addEventListener("click", action.does);
    note.append(button);
  }
  return note;
}
