// What this browser keeps for one member. Private windows and full disks refuse writing, and so does who signs out: then it lasts as long as
// the page.

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
    write(name, value === null ? null : both(read(name), value));
  }
}

/** What stood in the browser for this member before, under its whole key: back again, beside what was written meanwhile. */
export function bringBack(key, text) {
  const name = key.slice(keyOf("").length);
  write(name, both(JSON.parse(text), read(name)));
}

/** Of lists (what is on its way) all that two pages have each written down; of anything else what was written last. */
function both(before, now) {
  if (!Array.isArray(before) || !Array.isArray(now)) return now ?? before;
  const there = new Set(now.map((each) => JSON.stringify(each)));
  return [...before.filter((each) => !there.has(JSON.stringify(each))), ...now];
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
