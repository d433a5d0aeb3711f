"""A conversation of 5,000 messages in a real browser: until it can be read, until it can be written in, and while it scrolls."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from benchmarks.world import World, middle, percentile
from tests.browser import chromium

MESSAGES = 5000
#: When the last message is on the screen and the scripts have taken over, from the first byte of the navigation asked for.
OPENED = """() => {
  const [navigation] = performance.getEntriesByType("navigation");
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  return { bytes: navigation.transferSize, html: navigation.responseEnd, painted: paint?.startTime ?? null, ready: window.openedAt };
}"""
WATCH = """addEventListener("DOMContentLoaded", () => {
  new MutationObserver(() => { window.openedAt ??= performance.now(); })
    .observe(document.body, { attributes: true, attributeFilter: ["data-ready"] });
});"""
#: Up through the conversation as somebody who looks for something does, frame by frame.
SCROLL = """async (distance) => {
  const scroller = document.querySelector('[data-conversation-target="scroller"]');
  const numbers = () => [...document.querySelectorAll("article[data-number]")].map((each) => Number(each.dataset.number));
  const last = Math.max(...numbers());
  const frames = [];
  let most = 0;
  let before = performance.now();
  const until = before + 60_000;
  while (Math.min(...numbers()) > last - distance && before < until) {
    scroller.scrollTop -= 120;
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - before);
    before = now;
    most = Math.max(most, document.querySelectorAll("article.message").length);
  }
  return { frames, most, passed: last - Math.min(...numbers()) };
}"""


def measure(world: World, *, rounds: int = 15) -> dict[str, Any]:
    seeded = world.seed(people=1, conversations=1, messages=MESSAGES)
    address = f"{world.stack.base_url}/c/{seeded['conversations'][0]}/"
    with chromium.launch() as browser:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.add_init_script(WATCH)
        _sign_in(page, world, seeded["people"][0]["user"])
        cold, *warm = [_open(page, address) for _each in range(rounds + 1)]
        scrolled = page.evaluate(SCROLL, 1000)
    frames = scrolled["frames"]
    return {
        "cold_ms": cold["ready"],
        "painted": _pair([each["painted"] for each in warm]),
        "ready": _pair([each["ready"] for each in warm]),
        "html_kb": warm[0]["bytes"] / 1000,
        "scroll": {
            "messages": scrolled["passed"],
            "most_on_the_page": scrolled["most"],
            "frame_p95_ms": percentile(frames, 0.95),
            "frame_worst_ms": max(frames),
            "frames": len(frames),
            "frames_over_50_ms": sum(frame > 50 for frame in frames),  # what an eye sees as a hitch
        },
    }


def _sign_in(page: Page, world: World, user_id: str) -> None:
    code = (
        "from apps.accounts.models import User; from apps.accounts.services import sessions; from apps.accounts.types import SYSTEM; "
        f"print('LINK', sessions.make_sign_in_link(actor=SYSTEM, user=User.objects.get(pk='{user_id}')))"
    )
    said = world.stack.manage("shell", "--no-imports", "-c", code)
    token = next(line.split()[1] for line in said.splitlines() if line.startswith("LINK "))
    page.goto(f"{world.stack.base_url}/accounts/link/{token}/")
    page.locator("form.form button[type=submit]").click()
    page.wait_for_url(f"{world.stack.base_url}/")


def _open(page: Page, address: str) -> dict[str, float]:
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector("body[data-ready]", state="attached")
    page.wait_for_timeout(200)  # the entry of the paint comes a little after it
    return page.evaluate(OPENED)


def _pair(values: list[float]) -> dict[str, float]:
    return {"p50": middle(values), "p95": percentile(values, 0.95), "samples": len(values)}
