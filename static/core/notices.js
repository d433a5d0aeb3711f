// What went wrong, said where it happened.

export function failedIn(element, text) {
  element.querySelector(":scope > .notice.passing")?.remove();
  const note = document.createElement("p");
  note.className = "notice passing";
  note.dataset.kind = "bad";
  note.setAttribute("role", "alert");
  note.textContent = text;
  element.append(note);
}
