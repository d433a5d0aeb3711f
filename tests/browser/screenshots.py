"""Pictures of every page at three widths in two themes, in ``screenshots/``: ``make screenshots``.

Fails when a page scrolls sideways, text lies on text, a target is too small, or the console complains. The four in the
README are copied to ``docs/pictures/``.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tests import services
from tests.browser import chromium, pages
from tests.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "screenshots"
README = {
    "conversation-1440-light": "chat-light",
    "conversation-1440-dark": "chat-dark",
    "conversation-360-light": "chat-phone",
    "welcome-1440-dark": "home-dark",
}


def main() -> int:
    running = services.start_services()
    services.export(running)
    faults: list[str] = []
    try:
        with Stack(interactives=0, jobs=0) as stack, chromium.launch() as browser:
            faults = take(stack, browser)
    finally:
        running.remove()
    for fault in faults:
        print(fault)
    print(f"{len(list(TARGET.glob('*.png')))} pictures in {TARGET.name}/, {len(faults)} faults.")
    return 1 if faults else 0


def take(stack: Stack, browser: object) -> list[str]:
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir()
    addresses = pages.tell(stack)
    with pages.visitor(browser, stack.base_url, width=1440, theme="light", signed_in=True) as (page, _complaints):
        addresses["settings"] = pages.settings_paths(page, stack.base_url)
    faults: list[str] = []
    for theme in pages.THEMES:
        for width in pages.WIDTHS:
            for is_public in (True, False):
                with pages.visitor(browser, stack.base_url, width=width, theme=theme, signed_in=not is_public) as (
                    page,
                    complaints,
                ):
                    for view in pages.views(addresses):
                        if view.is_public == is_public:
                            faults += shoot(page, stack.base_url, view, f"{view.name}-{width}-{theme}", complaints)
    pictures = ROOT / "docs" / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    for source, name in README.items():
        shutil.copy(TARGET / f"{source}.png", pictures / f"{name}.png")
    return faults


def shoot(page: object, base_url: str, view: pages.View, name: str, complaints: list[str]) -> list[str]:
    complaints.clear()
    pages.open_view(page, base_url, view)
    page.screenshot(path=TARGET / f"{name}.png")
    return [f"{name}: {fault}" for fault in pages.faults_of(page, view, complaints)]


if __name__ == "__main__":
    sys.exit(main())
