import os

import pytest
from playwright.sync_api import expect

from tests.browser import chromium
from tests.stack import Stack

expect.set_options(
    timeout=20_000
)  # milliseconds; a wait ends when what is waited for is there, however slow the machine


@pytest.fixture(scope="package")
def shared_stack():
    """For modules that differ in people only: four processes take as long to start as several tests to run."""
    with Stack(env={"PARLANCE_ALLOW_PRIVATE_ADDRESSES": "127.0.0.1"}) as running:
        yield running


@pytest.fixture(scope="package")
def started_browser():
    """Playwright's loop runs in this thread, which Django would take for a reason to refuse every query.

    It ends with the package: asynchronous tests that come later in this process need the thread's loop for themselves.
    """
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with chromium.launch() as browser:
        yield browser


@pytest.fixture(scope="module")
def browser(started_browser):
    yield started_browser
    for context in started_browser.contexts:
        context.close()


@pytest.fixture
def page(browser):
    context = browser.new_context()
    yield context.new_page()
    context.close()
