"""What scripts of ours never do, because text from elsewhere could steer it."""

import re

from tests.architecture.tree import ROOT

#: ``thing[name] = …`` with a name that is not written here: ``__proto__`` would change every object there is.
COMPUTED_WRITE = re.compile(
    r"[\w)\]]\[(?!\s*(?:\d+|\"[^\"]*\"|'[^']*')\s*\])[^\[\]\n]+\]\s*(?:=(?![=>])|\?\?=|\|\|=|&&=|[+\-*/]=)"
)
RISKY = re.compile(r"__proto__|\.prototype\b\s*(?:\.\w+\s*)?=(?!=)|setPrototypeOf|defineProperty\(|\.constructor\[")
#: Browsers offer it to pages behind https and on localhost alone, and tests run on localhost: elsewhere it is undefined.
SECURE_ONLY = re.compile(r"\brandomUUID\b")
#: File → what is written to, and why a name cannot reach it.
BYTES = {"static/conversations/outbox.js": "bytes[at] ="}  # a Uint8Array


def scripts():
    for path in sorted((ROOT / "static").rglob("*.js")):
        if "vendor" not in path.parts:
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def test_no_script_writes_under_a_name_that_it_was_told():
    found = [
        (name, match[0])
        for name, text in scripts()
        for match in COMPUTED_WRITE.finditer(text)
        if not (name in BYTES and BYTES[name] in text[match.start() - 20 : match.end() + 5])
    ]

    assert found == []


def test_no_script_touches_prototypes():
    assert [(name, match[0]) for name, text in scripts() for match in RISKY.finditer(text)] == []


def test_no_script_needs_https():
    """The page is used over plain http, too: a phone that asks the laptop in the same network."""
    assert [(name, match[0]) for name, text in scripts() for match in SECURE_ONLY.finditer(text)] == []


def test_a_write_under_a_told_name_would_be_found():
    assert COMPUTED_WRITE.search("settings[key] = value")
    assert COMPUTED_WRITE.search("made.of[this.name] ??= {}")
    assert not COMPUTED_WRITE.search('headers["accept"] = "text/html"')
    assert not COMPUTED_WRITE.search("if (known[name] === undefined) return")
    assert not COMPUTED_WRITE.search("const [first] = list; rows[0] = first")
