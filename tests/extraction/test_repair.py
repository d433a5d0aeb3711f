import json
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.extraction import containers, repair, tolerant
from apps.extraction.repair import Step
from tests.clock import processor_seconds

ANSWER = {"name": "Sarah Keller", "age": 28, "tags": ["calm", "quick"], "home": {"city": "Lisbon", "since": 2019.5}}
ROWS = [{"name": "Ana"}, {"name": "Rui", "old": True}]


def told(value):
    return Counter(repr(each) for _place, each in containers.scalars(value))


def account(found):
    return told(found.value) + told([lost.value for lost in found.lost])


@pytest.mark.parametrize(
    ("raw", "value", "steps"),
    [
        ("{}", {}, ()),
        ("```json\n{}\n```".replace("{}", json.dumps(ANSWER)), ANSWER, (Step.FENCES,)),
        ("```\n" + json.dumps(ANSWER, indent=2) + "\n```\n", ANSWER, (Step.FENCES,)),
        ("```JSON\r\n" + json.dumps(ANSWER), ANSWER, (Step.FENCES,)),
        ("Here it is:\n```json\n" + json.dumps(ANSWER) + "\n```\nAnything else?", ANSWER, (Step.FENCES,)),
        (json.dumps(ANSWER) + "\n```", ANSWER, (Step.FENCES,)),
        ("```json\n{'a': 1,}\n```", {"a": 1}, (Step.FENCES, Step.REPAIRED)),
        (json.dumps({"code": "```py\n1\n```"}), {"code": "```py\n1\n```"}, ()),
    ],
)
def test_fences(raw, value, steps):
    assert repair.read(raw) == repair.Read(value, steps)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("{'name': 'Sarah', 'age': 28}", {"name": "Sarah", "age": 28}),
        ("{'says': 'it\\'s fine', 'b': 2}", {"says": "it's fine", "b": 2}),
        ("{'says': 'it's fine', 'b': 2}", {"says": "it's fine", "b": 2}),
        ("{'a': None, 'b': True, 'c': False}", {"a": None, "b": True, "c": False}),
        ("{“a”: “b”}", {"a": "b"}),
        ("{a: 1, b: hello world}", {"a": 1, "b": "hello world"}),
        ("{'a': \"O'Neill\"}", {"a": "O'Neill"}),
    ],
)
def test_single_and_other_quotes(raw, value):
    found = repair.read(raw)

    assert (found.value, found.steps, found.lost) == (value, (Step.REPAIRED,), ())


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ('{"a": 1,}', {"a": 1}),
        ('{"a": [1, 2,], }', {"a": [1, 2]}),
        ('[{"a": 1}, {"b": 2},]', [{"a": 1}, {"b": 2}]),
        ('[{"a": 1} {"b": 2}]', [{"a": 1}, {"b": 2}]),
        ('{"a": 1\n "b": 2}', {"a": 1, "b": 2}),
    ],
)
def test_trailing_and_other_commas(raw, value):
    found = repair.read(raw)

    assert (found.value, found.steps, found.lost, found.is_cut) == (value, (Step.REPAIRED,), (), False)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ('{"a": {"b": 2}', {"a": {"b": 2}}),
        ('{"a": [1, 2}', {"a": [1, 2]}),
        ('[{"a": 1}, {"b": 2}', [{"a": 1}, {"b": 2}]),
        ('{"a": 1, "b": {"c": [3', {"a": 1, "b": {"c": [3]}}),
    ],
)
def test_missing_braces(raw, value):
    found = repair.read(raw)

    assert (found.value, found.lost) == (value, ())
    assert Step.REPAIRED in found.steps


@pytest.mark.parametrize("cut", range(2, len(json.dumps(ANSWER))))
def test_truncation_keeps_every_scalar_that_was_whole(cut):
    whole = json.dumps(ANSWER)
    found = repair.read(whole[:cut])

    assert found.is_cut
    have = account(found)
    for _place, each in containers.scalars(ANSWER):
        written = json.dumps(each)
        where = whole.index(written)
        if where + len(written) < cut:
            assert have[repr(each)] == 1, (whole[:cut], found)


@pytest.mark.parametrize(
    ("raw", "value", "steps"),
    [
        ('Sure! Here it is: {"a": 1} Hope that helps.', {"a": 1}, (Step.PROSE,)),
        ('Of what you said {a} I made:\n\n{"a": {"b": 1}}', None, None),
        ('As in [1]:\n{"a": 1}', {"a": 1}, (Step.PROSE,)),
        ('{"a": 1}\n{"b": 2}\n', [{"a": 1}, {"b": 2}], (Step.SEVERAL,)),
        ('First {"a": 1} and then {"b": 2}.', [{"a": 1}, {"b": 2}], (Step.PROSE, Step.SEVERAL)),
        ('<think>hm</think>{"a": 1}', {"a": 1}, (Step.PROSE,)),
        ('Here: {"a": 1,} bye', {"a": 1}, (Step.PROSE, Step.REPAIRED)),
    ],
)
def test_prose_around(raw, value, steps):
    found = repair.read(raw)

    if value is None:
        assert {"a": {"b": 1}} in (found.value if isinstance(found.value, list) else [found.value])
    else:
        assert (found.value, found.steps) == (value, steps)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (json.dumps(ROWS), ROWS),
        (json.dumps(json.dumps(ANSWER)), json.dumps(ANSWER)),
        (json.dumps({"0": ROWS[0], "1": ROWS[1]}), {"0": ROWS[0], "1": ROWS[1]}),
        ('["a": 1, "b": 2]', [{"a": 1, "b": 2}]),
    ],
)
def test_wrong_containers_are_read_as_they_are(raw, value):
    """What to make of them is the business of ``coercion``, which knows the schemas."""
    assert repair.read(raw).value == value


def test_keys_that_stand_twice_lose_nothing():
    for raw in ('{"a": 1, "a": 2, "b": {"a": 3, "a": 3}}', '{"a": 1, "a": 2, "b": {"a": 3, "a": 3},}'):
        found = repair.read(raw)

        assert account(found) == Counter({"1": 1, "2": 1, "3": 2}), found


def test_what_nothing_can_be_made_of_is_kept():
    assert repair.read("I cannot do that.").lost[0].value == "I cannot do that."
    assert repair.read("") == repair.Read(None, (Step.NOTHING,))
    assert repair.read("42").value is None


def test_characters_that_cannot_be_stored_are_replaced():
    found = repair.read('{"a": "x\\u0000y", "b": "\\ud800", "c": "\\ud83d\\ude00", "d": NaN, "e": 1' + "0" * 400 + "}")

    assert found.value["a"] == "xy"
    assert found.value["b"] == "\ufffd"
    assert found.value["c"] == "😀"
    assert found.value["d"] == "NaN"
    assert found.value["e"].startswith("1")
    assert Step.CHARACTERS in found.steps
    json.dumps(found.value).encode()


TEXT = st.text(st.sampled_from("abc XYZäö0123.'-_/()@"), min_size=1, max_size=12).filter(
    lambda text: text.strip() == text and text.strip("'") == text and text.lower() not in {"none", "null"}
)
SCALAR = st.one_of(TEXT, st.integers(-999, 99999), st.booleans())
OBJECT = st.recursive(
    st.dictionaries(st.text("abcdefgh", min_size=1, max_size=6), SCALAR, min_size=1, max_size=4),
    lambda inner: st.dictionaries(
        st.text("abcdefgh", min_size=1, max_size=6),
        st.one_of(inner, st.lists(inner, min_size=1, max_size=3)),
        min_size=1,
        max_size=3,
    ),
    max_leaves=8,
)


@given(
    OBJECT,
    st.sampled_from(
        [
            lambda text: f"```json\n{text}\n```",
            lambda text: f"Here you are:\n\n{text}\n\nIs that all?",
            lambda text: text[:-1] + ",}",
            lambda text: text[:-1],
            lambda text: text + "}",
            lambda text: f"[{text}]",
            json.dumps,
        ]
    ),
)
def test_spellings_keep_every_scalar(value, spelled):
    found = repair.read(spelled(json.dumps(value, ensure_ascii=False)))

    assert account(found) == told(value), found


@given(st.text(st.sampled_from("{}[]\",:'\\ abc123\n`/#"), max_size=60))
def test_whatever_comes_is_read_and_no_word_of_it_lost(raw):
    """Words of the text around values are prose and may go; between brackets none may."""
    found = repair.read("{" + raw)

    if found.value is not None and Step.PROSE not in found.steps and Step.SEVERAL not in found.steps:
        want = Counter(word for word, _s, _e in repair._words(repair._without_escapes(raw)))
        have = Counter(
            word
            for value in [found.value, *(part for lost in found.lost for part in (lost.key, lost.value))]
            for leaf in repair._leaves(value)
            for word, _s, _e in repair._words(leaf)
        )
        assert not want - have, (raw, found)


@pytest.mark.parametrize(
    "piece",
    ["{", "[", '{"a":', '"', '"a" b ', "'a' ", "\\", "```\n{", "{}", '["a" ', "a: b, ", "// ", "/* ", "1 ", "(("],
)
def test_bombs_cost_what_they_are_long(piece):
    for before in ("", '[{"a": "b"}, '):
        for size in (3_000, 60_000):
            raw = before + piece * (size // len(piece))
            spent = time.process_time()
            repair.read(raw)
            assert time.process_time() - spent < 3.0, (before, size)


def test_ten_megabytes_are_refused_at_once():
    raw = '{"a": "' + "x" * 10_000_000 + '"}'
    found = repair.read(raw)

    assert (found.value, found.steps) == (None, (Step.TOO_LARGE,))
    assert processor_seconds(lambda: repair.read(raw), limit=0.5) <= 0.5


def test_our_own_reader_gives_spares_for_what_has_no_place():
    found = tolerant.read('{"a": 1, {"d": 4}, "a": 5, // note\n "e": [6')

    assert found.roots == [{"a": 1, "e": [6]}]
    assert ("a", 5) in found.spares
    assert ("", {"d": 4}) in found.spares
    assert found.is_open


def test_our_own_reader_refuses_what_is_nested_too_deeply():
    with pytest.raises(tolerant.TooDeep):
        tolerant.read("[" * 101)
