"""A browser that nobody knows is asked for the code from the mail: the page, the code, the device afterwards."""

import pytest

from tests.browser import pages
from tests.browser.cast import EMAIL, PASSWORD
from tests.browser.look import COLOURS, RULES, judged
from tests.stack import Stack

pytestmark = pytest.mark.timeout(300)

CODE = pages.View("sign-in code", "/accounts/login/code/")
NEWEST_CODE = (
    "import re; from apps.core.models import MailMessage; mail = MailMessage.objects.latest('created_at'); "
    "print('CODE', re.search(r'^ {4}(.{9})$', mail.text, re.M)[1])"
)


@pytest.fixture(scope="module")
def stack():
    """A new device is enough to be asked; nothing sends the mail, so that its text stays."""
    with Stack(
        interactives=0, jobs=0, env={"PARLANCE_SIGN_IN_STEP_UP_AT": "20", "EMAIL_HOST": "mail.invalid"}
    ) as running:
        pages.tell(running)
        yield running


def code_of(stack):
    output = stack.manage("shell", "--no-imports", "-c", NEWEST_CODE)
    return next(line for line in output.splitlines() if line.startswith("CODE")).removeprefix("CODE ")


@pytest.mark.parametrize("width", [360, 1440])
def test_code_page_lets_in_and_the_device_is_known_afterwards(stack, browser, width):
    with pages.visitor(browser, stack.base_url, width=1440, theme="light", signed_in=False) as (page, _complaints):
        page.goto(f"{stack.base_url}/accounts/login/")
        fill_in(page)
        if page.url.endswith(CODE.path):  # not the first sign-in of this person here
            page.get_by_label("Code from the mail").fill(code_of(stack))
            page.get_by_role("button", name="Go on").click()
        page.wait_for_url(f"{stack.base_url}/")

    with pages.visitor(browser, stack.base_url, width=width, theme="light", signed_in=False) as (page, complaints):
        page.goto(f"{stack.base_url}/accounts/login/")
        fill_in(page)
        page.wait_for_url(f"{stack.base_url}{CODE.path}")
        faults = pages.faults_of(page, CODE, complaints) + judged(page, CODE, RULES)
        page.emulate_media(color_scheme="dark")
        page.evaluate(pages.REPAINTED)
        faults += judged(page, CODE, COLOURS)
        assert faults == []
        assert page.get_by_label("Code from the mail").evaluate("field => field === document.activeElement")

        page.keyboard.type(code_of(stack))
        page.keyboard.press("Enter")
        page.wait_for_url(f"{stack.base_url}/")

        page.context.clear_cookies(name="parlance_session")
        page.goto(f"{stack.base_url}/accounts/login/")
        fill_in(page)
        page.wait_for_url(f"{stack.base_url}/")
        page.goto(f"{stack.base_url}/settings/sessions/")
        assert page.get_by_text("This device").count() == 1
        page.goto(f"{stack.base_url}/settings/sign-in-activity/")
        assert page.get_by_text("Let in after a second step").count() >= 1


def fill_in(page):
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_load_state()
