// A click is a click on what was pressed. What is drawn anew between the press and its end, because of news, would take it away.

const LONGEST_MS = 5000; // what is let go outside the window is not heard of
const held = new Map(); // pointer or key → what it is on
let over = null;
let end = null;

function press({ target, pointerId, code }) {
  held.set(pointerId ?? code, target);
}

function release(letsGo) {
  setTimeout(() => { // the click comes first
    letsGo();
    end?.();
    over = end = null;
  });
}

for (const name of ["pointerdown", "keydown"]) addEventListener(name, press, { capture: true, passive: true });
for (const name of ["pointerup", "pointercancel", "keyup"]) {
  addEventListener(name, ({ pointerId, code }) => release(() => held.delete(pointerId ?? code)), { capture: true, passive: true });
}
addEventListener("blur", ({ target }) => target === window && release(() => held.clear()));

const isHeld = (element) => [...held.values()].some((target) => element?.contains(target));

/** Done when no button of the mouse, finger or key is down on something in the element. */
export async function letGo(element) {
  const last = Date.now() + LONGEST_MS;
  while (isHeld(element) && Date.now() < last) {
    over ??= new Promise((done) => { end = done; });
    await Promise.race([over, new Promise((done) => { setTimeout(done, LONGEST_MS); })]);
  }
}
