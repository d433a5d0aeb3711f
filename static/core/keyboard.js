// Nothing is taken away from under a keyboard: who is on a button finds it again where that was drawn anew.

const FOCUSABLE = 'a[href], button, input, select, textarea, summary, [tabindex]';

/** To be asked before `shown` goes. Answers what puts the focus on the same in what came for it, and says whether it did. */
export function keyboardIn(shown) {
  const at = document.activeElement;
  if (!shown?.contains(at)) return () => false;
  const name = nameOf(at);
  const place = named(shown, name).indexOf(at);
  return (fresh) => {
    const found = named(fresh, name)[place];
    found?.focus({ preventScroll: true });
    return Boolean(found) && found === document.activeElement;
  };
}

const named = (root, name) => [...root.querySelectorAll(FOCUSABLE)].filter((each) => nameOf(each) === name);

/** The same for what stands in its place after it was fetched again. */
function nameOf(element) {
  const part = (name) => element.getAttribute(name) ?? "";
  const where = [element.closest("form")?.getAttribute("action"), element.closest("details[id]")?.id];
  return [element.tagName, element.id, ...["href", "name", "commandfor", "data-action"].map(part), ...where].join(" ");
}
