// A short notice of something that can be undone or was done elsewhere. Errors are never toasts.

/** `action`: {label, run}. */
export function toast(text, action = null) {
  window.dispatchEvent(new CustomEvent("toast", { detail: { text, action } }));
}

export function announce(text) {
  document.getElementById("announcer")?.replaceChildren(text);
}

/** For errors only: interrupts what a screen reader is saying. */
export function alarm(text) {
  document.getElementById("alerts")?.replaceChildren(text);
}
