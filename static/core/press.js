// A click is a click on what was pressed. What is drawn anew between the press and its end, because of news, would take it away.

const LONGEST_MS = 5000; // what is let go outside the window is not heard of
let pressed = null;
let over = null;
let end = null;

function press({ target }) {
  pressed = target;
  over ??= new Promise((done) => { end = done; });
}

function release() {
  setTimeout(() => { // the click comes first
    end?.();
    pressed = over = end = null;
  });
}

for (const name of ["pointerdown", "keydown"]) addEventListener(name, press, { capture: true, passive: true });
for (const name of ["pointerup", "pointercancel", "keyup"]) addEventListener(name, release, { capture: true, passive: true });
addEventListener("blur", ({ target }) => target === window && release());

/** Done when no button of the mouse, finger or key is down on something in the element. */
export async function letGo(element) {
  if (element?.contains(pressed)) await Promise.race([over, new Promise((done) => { setTimeout(done, LONGEST_MS); })]);
}
