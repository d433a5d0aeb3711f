import re
from html.parser import HTMLParser

import pytest

from apps.core import markup
from tests.clock import processor_seconds
from tests.corpus.markup import cases, payloads

ALLOWED_ADDRESS = re.compile(r"^(?:https?://|mailto:)", re.IGNORECASE)


class Inventory(HTMLParser):
    """Every element and attribute of a fragment, as a browser would find them."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_markup_renders_the_corpus(case):
    assert markup.render(case.text).rstrip("\n") == case.html.rstrip("\n")


def test_xss_corpus_is_large_enough():
    assert len(set(payloads())) >= 60


@pytest.mark.parametrize("payload", payloads())
def test_markup_leaves_nothing_that_runs_or_loads(payload):
    for tag, attributes in Inventory(markup.render(payload)).found:
        assert tag not in {"script", "img", "svg", "math", "iframe", "style", "form", "input", "object", "base", "meta"}
        assert not {name for name in attributes if name.startswith(("on", "style", "src", "id", "name", "hx-"))}
        assert set(attributes) <= {
            "class", "data-align", "data-done", "href", "rel", "scope", "start", "tabindex", "target", "title",
        }  # fmt: skip
        if "href" in attributes:
            assert ALLOWED_ADDRESS.match(attributes["href"])
            assert attributes["rel"] == "nofollow noopener noreferrer"


@pytest.mark.parametrize(
    "text",
    [
        "![" * 50_000, "[" * 100_000, "*a **b " * 14_000, "`a``b```c" * 11_000, "_a __b" * 16_000, "> " * 50_000,
        "<a" * 50_000, "[a](" + "(" * 99_000, "|a" * 30_000 + "\n" + "|-" * 20_000, "https://a.example" + ")" * 90_000,
        "https://" * 12_000, "https://a" + "." * 90_000 + "b", "[a]: b\n" * 14_000, "~~a~" * 25_000, "\\" * 100_000,
        "&a" * 50_000, "- " * 50_000, "\n".join("  " * level + "- a" for level in range(300)), "```\n" * 20_000,
        "*[a*](b)" * 12_000, "a" * 5_000_000,
    ],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_markup_takes_bounded_time(text):
    assert processor_seconds(lambda: markup.render(text), limit=1.5) <= 1.5


def test_markup_shows_a_huge_text_as_written():
    html = markup.render("# <b>\0" * 20_000)

    assert html.startswith('<pre tabindex="0"># &lt;b&gt;\ufffd# &lt;b&gt;')
    assert html.endswith("</pre>\n")
