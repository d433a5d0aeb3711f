"""YAML of strangers: what is read, what is refused, and that what is written is read again."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core import yaml_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on: 1", {"on": 1}),
        ("a: no\nb: yes\nc: 2025-03-04\nd: 12:30\ne: 0o17\nf: 0x1F\ng: 1e3\nh: .5", {
            "a": "no", "b": "yes", "c": "2025-03-04", "d": "12:30", "e": 15, "f": 31, "g": 1000.0, "h": 0.5,
        }),
        ("- ~\n- null\n- true\n- 'true'\n-", [None, None, True, "true", None]),
        ("200: ok", {"200": "ok"}),
        ('{"a": [1, {"b": "c"}]}', {"a": [1, {"b": "c"}]}),
        ("a: |\n  one\n  two\n", {"a": "one\ntwo\n"}),
        ("hello", "hello"),
        (b"\xef\xbb\xbfa: \xc3\xbc", {"a": "ü"}),
    ],
)  # fmt: skip
def test_it_is_the_core_schema(text, expected):
    assert yaml_text.read(text) == expected


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: &x 1\nb: *x", 1),
        ("a: *x", 1),
        ("a: 1\na: 2", 2),
        ("a: !!python/object:os.system 1", 1),
        ("a: !!str 1", 1),
        ("a: 1\n---\nb: 2", 2),
        ("a: [1,\n", 1),
        ("\n\n\ta: 1", 3),
        ("a: .inf", 1),
        ("a: 1e999", 1),
        ("[1]: 2", 1),
        ("", 1),
        ("a: \x01", 1),
        (b"a: \xff", 1),
        ("x" * (yaml_text.MAX_BYTES + 1), 1),
        ("[" * 100, 1),
        ("{a: " * 100, 1),
        ("[" + "1," * 60_000 + "]", 1),
    ],
)
def test_what_is_more_than_json_is_refused_with_its_line(text, line):
    began = time.process_time()

    with pytest.raises(yaml_text.YamlRefused) as refused:
        yaml_text.read(text)

    assert refused.value.line == line
    assert time.process_time() - began < 2


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc:#- '\"\n", max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_written_is_read_again(value):
    assert yaml_text.read(yaml_text.write(value)) == value


def test_lines_are_those_of_names_and_items():
    text = "# a file\na:\n- b: 1\n  c/d: [x,\n   y]\n- |\n  long\ne: {f: 2}\n"

    assert yaml_text.lines_of(text) == {
        "": 2, "/a": 2, "/a/0": 3, "/a/0/b": 3, "/a/0/c~1d": 4, "/a/0/c~1d/0": 4, "/a/0/c~1d/1": 5, "/a/1": 6, "/e": 8, "/e/f": 8,
    }  # fmt: skip
    assert yaml_text.lines_of("words") == {"": 1}
