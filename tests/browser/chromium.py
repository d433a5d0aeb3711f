"""One headless Chromium for the browser tests: the one on PATH, else the one that Playwright installs."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Error, sync_playwright

from scripts.environment import CHROMIUMS

MISSING = "Browser tests need a Chromium: install one (apt install chromium-headless-shell) or run `playwright install chromium`."


@contextmanager
def launch() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        on_path = next(filter(None, map(shutil.which, CHROMIUMS)), None)
        if on_path is None and not Path(playwright.chromium.executable_path).exists():
            raise RuntimeError(MISSING)
        try:
            browser = playwright.chromium.launch(
                executable_path=on_path, args=["--no-sandbox", "--disable-background-networking"]
            )
        except Error as error:
            raise RuntimeError(f"{MISSING} ({error.message.splitlines()[0]})") from error
        yield browser
        browser.close()
