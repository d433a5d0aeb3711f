"""Under the page's own policy no text becomes markup that could run, whoever writes it there."""

import pytest

from tests.browser.modules import open_modules

RUNNING = [
    "<script>window.fired = 1</script>",
    "<img src=x onerror='window.fired = 1'>",
    "<p><svg><a xlink:href='java\tscript:alert(1)'><text>x</text></a></svg>",
    "<form action=' javascript:alert(1)'><button>x</button></form>",
    "<iframe srcdoc='<script>1</script>'></iframe>",
    "<template><b onclick='1'>x</b></template>",
    "<base href='https://elsewhere.example/'>",
    "<meta http-equiv=refresh content='0;url=https://elsewhere.example/'>",
    "<a href='data:text/html,<script>1</script>'>x</a>",
]
STILL = [
    "<p>An <b>answer</b> of <a href='/c/1/'>ours</a></p>",
    "<form method=post action='/settings/'><input name=a><button data-action='a#b'>Save</button></form>",
    "<li><small>one &lt;script&gt; in words</small></li>",
]
ASSIGN = """async (html) => {
    await import("core/trusted_types");
    const place = document.querySelector("main");
    try { place.innerHTML = html; } catch (error) { return error.name; }
    return place.innerHTML;
}"""


@pytest.fixture
def strict(page):
    open_modules(page, policy="require-trusted-types-for 'script'; trusted-types default dompurify parlance-fragments")
    return page


@pytest.mark.parametrize("html", RUNNING)
def test_markup_that_could_run_is_refused(strict, html):
    assert strict.evaluate(ASSIGN, html) == "TypeError"
    assert strict.evaluate("document.querySelector('main').children.length") == 0


@pytest.mark.parametrize("html", STILL)
def test_markup_of_our_views_is_taken(strict, html):
    assert strict.evaluate(ASSIGN, html) != "TypeError"
    assert strict.evaluate("document.querySelector('main').children.length") == 1


def test_text_becomes_no_script(strict):
    assert (
        strict.evaluate(
            "async () => { try { document.createElement('script').text = 'window.fired = 1'; }"
            " catch (error) { return error.name; } }"
        )
        == "TypeError"
    )


def test_no_other_policy_can_be_made(strict):
    made = strict.evaluate(
        "() => { try { trustedTypes.createPolicy('more', {}); } catch (error) { return error.name; } }"
    )

    assert made == "TypeError"
