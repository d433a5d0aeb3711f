// What a picture cannot say by itself: does the page scroll sideways, does text lie on text, is a target too small.
// One expression: Playwright evaluates it and gets {sideways, overlaps, small} back.
(() => {
  const width = document.documentElement.clientWidth;
  const sideways = document.documentElement.scrollWidth > width + 1 ? document.documentElement.scrollWidth - width : 0;

  const words = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!node.data.trim() || !parent || parent.closest(".sr, .skip, script, template, option, [hidden]")) continue;
    if (parent.closest("[inert]")) continue; // behind a drawer: no point of the page answers for it
    if (!parent.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const clip = parent.closest(".clip")?.getBoundingClientRect(); // what an ellipsis stands for is on no screen
    for (const whole of range.getClientRects()) {
      const right = Math.min(whole.right, clip?.right ?? Infinity);
      const box = new DOMRect(whole.x, whole.y, right - whole.x, whole.height);
      if (box.width < 2 || box.height < 2) continue;
      const x = box.left + box.width / 2;
      const y = box.top + box.height / 2;
      // Only what can be seen: what lies under a menu, outside a scroller or off the screen is not asked.
      const seen = document.elementFromPoint(x, y);
      if (seen && (seen === parent || seen.contains(parent) || parent.contains(seen))) {
        const layer = parent.closest(":popover-open, dialog[open], .toasts");
        const { left, right: end, top, bottom, height } = box;
        words.push({ parent, left, right: end, top, bottom, height, layer, text: node.data.trim().slice(0, 40) });
      }
    }
  }
  const overlaps = [];
  for (let i = 0; i < words.length; i += 1) {
    for (let j = i + 1; j < words.length; j += 1) {
      const [a, b] = [words[i], words[j]];
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      // Line boxes of neighbours touch; letters do not unless a third of a line is shared.
      if (down <= Math.min(a.height, b.height) / 3) continue;
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      if (across <= 3) continue;
      if (a.layer !== b.layer) continue; // a menu lies above the page on purpose
      if (a.parent === b.parent || a.parent.contains(b.parent) || b.parent.contains(a.parent)) continue;
      overlaps.push(`${a.text} | ${b.text}`);
    }
  }

  const small = [];
  for (const target of document.querySelectorAll("button, a.button, a.tool, input:not([type=hidden]), select, summary, [role=tab]")) {
    if (!target.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || target.closest(".sr, [hidden]")) continue;
    const box = target.getBoundingClientRect();
    const label = target.closest("label")?.getBoundingClientRect();
    const height = Math.max(box.height, label?.height ?? 0);
    if (box.width > 0 && !target.classList.contains("sr") && height < 23.5) {
      small.push(`${target.outerHTML.slice(0, 80)} ${Math.round(height)} px`);
    }
  }
  return { sideways, overlaps: [...new Set(overlaps)].slice(0, 10), small: small.slice(0, 10) };
})();
