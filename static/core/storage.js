// What this browser keeps for one member. Private windows and full disks refuse writing: then it lasts as long as the page.

const memory = new Map();
let isOver = false;
const keyOf = (name) => `parlance:${document.body.dataset.viewerId ?? "nobody"}:${name}`;

export function read(name, fallback = null) {
  const key = keyOf(name);
  if (memory.has(key)) return memory.get(key);
  try {
    return JSON.parse(localStorage.getItem(key)) ?? fallback;
  } catch {
    return fallback;
  }
}

/** The member signs out: a page that closes writes nothing more down. */
export function endKeeping() {
  isOver = true;
}

export function write(name, value) {
  if (isOver) return;
  const key = keyOf(name);
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify(value));
    memory.delete(key);
  } catch {
    memory.set(key, value);
  }
}

/** Calls back when another tab of the same member changes `name`; answers what ends that. */
export function watch(name, changed) {
  const heard = (event) => event.key === keyOf(name) && changed();
  addEventListener("storage", heard);
  return () => removeEventListener("storage", heard);
}
