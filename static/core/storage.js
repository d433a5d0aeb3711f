// What this browser keeps for one member. Private windows and full disks refuse writing, and so does who signs out: then it lasts as long as
// the page.

const memory = new Map();
let isOver = false;
const mergers = new Map(); // name → (kept, ours) => both
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

/** The member signs out: nothing more is written down. */
export function endKeeping() {
  isOver = true;
}

/** The same member is back, and this page still here: what was written meanwhile is kept, too. */
export function keepAgain() {
  if (!isOver) return;
  isOver = false;
  const ours = [...memory];
  memory.clear();
  for (const [key, value] of ours) {
    const name = key.slice(keyOf("").length);
    write(name, mergers.get(name)?.(read(name), value) ?? value);
  }
}

/** What two pages have each written down of `name` is both to be kept. */
export function mergeWith(name, merge) {
  mergers.set(name, merge);
}

export function write(name, value) {
  const key = keyOf(name);
  if (isOver) return void memory.set(key, value);
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
