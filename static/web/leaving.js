// Signing out leaves nothing in the browser that the next person could read: what is unsent is sealed with a key that the server
// tells its owner alone, and opened when they are back. Where the browser has no cryptography (plain http), it is forgotten.

import { bringBack, endKeeping, keepAgain } from "core/storage";

const ours = (person) => `parlance:${person}:`;
const sealedName = (person) => `${ours(person)}sealed`;
const namesOf = (person) => Object.keys(localStorage).filter((name) => name.startsWith(ours(person)) && name !== sealedName(person));
const signOutForm = () => document.querySelector("form[data-seal-key]");

/** Before anything reads what was kept. What others left here, whose session ended by itself, goes: they are not here now. */
export async function openKept() {
  const form = signOutForm();
  if (!form) return;
  const { person, sealKey } = form.dataset;
  try {
    for (const name of Object.keys(localStorage)) {
      if (/^parlance:[0-9a-f-]{36}:/.test(name) && !name.startsWith(ours(person)) && !name.endsWith(":sealed")) localStorage.removeItem(name);
    }
    const sealed = localStorage.getItem(sealedName(person));
    if (!sealed) return;
    for (const [key, text] of Object.entries(await opened(sealed, sealKey))) bringBack(key, text);
    localStorage.removeItem(sealedName(person));
  } catch {
    // no storage, or sealed with a key that is gone: there is nothing to bring back
  }
}

export function sealOnLeaving() {
  document.addEventListener("submit", (event) => {
    const { person, sealKey } = event.target.dataset;
    if (!sealKey || event.defaultPrevented) return;
    event.preventDefault();
    leave(person, sealKey).finally(() => event.target.submit());
  });
  addEventListener("signed-in", keepAgain);
  addEventListener("storage", ({ key, newValue }) => { // another tab signs out
    if (newValue && key === sealedName(document.body.dataset.viewerId)) endKeeping();
  });
}

async function leave(person, sealKey) {
  endKeeping();
  try {
    const names = namesOf(person);
    const kept = Object.fromEntries(names.map((name) => [name, localStorage.getItem(name)]));
    for (const name of names) localStorage.removeItem(name);
    if (names.length && globalThis.crypto?.subtle) localStorage.setItem(sealedName(person), await sealed(kept, sealKey));
  } catch {
    // signing out comes first
  }
}

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const textOf = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
const keyOf = (sealKey) => crypto.subtle.importKey("raw", bytesOf(sealKey), "AES-GCM", false, ["encrypt", "decrypt"]);

async function sealed(kept, sealKey) {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const data = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, await keyOf(sealKey), new TextEncoder().encode(JSON.stringify(kept)));
  return `${textOf(iv)}.${textOf(new Uint8Array(data))}`;
}

async function opened(text, sealKey) {
  const [iv, data] = text.split(".").map(bytesOf);
  return JSON.parse(new TextDecoder().decode(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, await keyOf(sealKey), data)));
}
