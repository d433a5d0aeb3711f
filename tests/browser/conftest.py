import os

import pytest

from tests.browser import chromium


@pytest.fixture(scope="module")
def browser():
    """Playwright's loop runs in this thread, which Django would take for a reason to refuse every query.

    It ends with the module: asynchronous tests that come later in this process need the thread's loop for themselves.
    """
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with chromium.launch() as browser:
        yield browser


@pytest.fixture
def page(browser):
    context = browser.new_context()
    yield context.new_page()
    context.close()
