import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.extraction import schema, schema_changes


def of(*required, **properties):
    return schema.check(
        {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
    )


TEXT, WHOLE, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
LIST = {"type": "array", "items": TEXT}


def told(old, new, **options):
    return [(c.kind.value, c.before, c.after, c.breaks) for c in schema_changes.compare(old, new, **options).items]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (of(a=TEXT), of(a=TEXT), []),
        (of(a=TEXT), of(a={"type": "string", "title": "T", "description": "D", "x-aliases": ["b"]}), []),
        (of(a=TEXT), of(a=TEXT, b=TEXT), [("added", "", "/b", False)]),
        (of(a=TEXT), of("b", a=TEXT, b=TEXT), [("added", "", "/b", True)]),
        (of(a=TEXT), of("b", a=TEXT, b={"type": "string", "default": "x"}), [("added", "", "/b", False)]),
        (of(a=TEXT, b=TEXT), of(a=TEXT), [("removed", "/b", "", True)]),
        (of(a=TEXT), of(b={"type": "string", "x-was": "a"}), [("renamed", "/a", "/b", False)]),
        (of(a=TEXT), of("a", a=TEXT), [("required_added", "/a", "/a", True)]),
        (of("a", a=TEXT), of(a=TEXT), []),
        (of(a=WHOLE), of(a=NUMBER), [("type_changed", "/a", "/a", False)]),
        (of(a=WHOLE), of(a=TEXT), [("type_changed", "/a", "/a", False)]),
        (of(a=TEXT), of(a=WHOLE), [("type_changed", "/a", "/a", True)]),
        (of(a=TEXT), of(a=LIST), [("type_changed", "/a", "/a", False)]),
        (of(a=LIST), of(a=TEXT), [("type_changed", "/a", "/a", True)]),
        (of(a=NUMBER), of(a={"type": "string", "maxLength": 2}), [("type_changed", "/a", "/a", True)]),
        (of(a=WHOLE), of(a={"type": "number", "minimum": 3}), [("type_changed", "/a", "/a", True)]),
        (of(a=TEXT), of(a={"type": "array", "items": TEXT, "minItems": 2}), [("type_changed", "/a", "/a", True)]),
        (of(a=WHOLE), of(a=LIST), [("type_changed", "/a", "/a", False)]),
        (of(a={"enum": ["x", "y"]}), of(a={"enum": ["x"]}), [("enum_narrowed", "/a", "/a", True)]),
        (of(a={"enum": ["x"]}), of(a={"enum": ["x", "y"]}), [("widened", "/a", "/a", False)]),
        (of(a=TEXT), of(a={"type": "string", "enum": ["x"]}), [("narrowed", "/a", "/a", True)]),
        (of(a=TEXT), of(a={"type": "string", "maxLength": 3}), [("narrowed", "/a", "/a", True)]),
        (
            of(a={"type": "string", "maxLength": 3}),
            of(a={"type": "string", "maxLength": 4}),
            [("widened", "/a", "/a", False)],
        ),
        (
            of(a={"type": "integer", "minimum": 3}),
            of(a={"type": "integer", "minimum": 2}),
            [("widened", "/a", "/a", False)],
        ),
        (of(a=TEXT), of(a={"type": "string", "x-relation": "people"}), [("relation_changed", "/a", "/a", False)]),
        (
            of(a={"type": "object", "properties": {"b": TEXT, "c": TEXT}}),
            of(x={"type": "object", "properties": {"b": WHOLE}, "x-was": "a"}),
            [("removed", "/a/c", "", True), ("renamed", "/a", "/x", False), ("type_changed", "/a/b", "/x/b", True)],
        ),
        (of(a={"type": "object", "properties": {"b": TEXT}}), of(), [("removed", "/a", "", True)]),
    ],
)
def test_changes_are_told_and_whether_they_break(old, new, expected):
    assert told(old, new) == expected


def test_renames_can_be_given():
    assert told(of(a=TEXT, b=TEXT), of(c=TEXT, b=TEXT), renames={"/a": "/c", "/no": "/b"}) == [
        ("renamed", "/a", "/c", False)
    ]


def test_a_rule_of_the_whole_that_is_added_breaks():
    with_rule = schema.check({**of(a=TEXT, b=TEXT).document, "dependentRequired": {"a": ["b"]}})

    assert told(of(a=TEXT, b=TEXT), with_rule) == [("narrowed", "", "", True)]
    assert not schema_changes.compare(with_rule, of(a=TEXT, b=TEXT)).breaks


def brought(old, new, value, **options):
    found = schema_changes.migrate(value, schema_changes.compare(old, new), **options)
    return found.value, [(p.pointer, p.code, p.lost) for p in found.problems]


@pytest.mark.parametrize(
    ("old", "new", "value", "expected", "problems"),
    [
        (of(a=TEXT), of(b={"type": "string", "x-was": "a"}), {"a": "x"}, {"b": "x"}, []),
        (of(a=TEXT), of(a=WHOLE), {"a": "29"}, {"a": 29}, []),
        (of(a=TEXT), of(a=WHOLE), {"a": "twenty-nine"}, {"a": 29}, []),
        (of(a=TEXT), of(a=WHOLE), {"a": "old"}, {}, [("/a", "lost", "old")]),
        (of(a=TEXT), of("a", a=WHOLE), {"a": "old"}, {}, [("/a", "lost", "old")]),
        (of(a=WHOLE), of(a=TEXT), {"a": 3}, {"a": "3"}, []),
        (of(a=TEXT), of(a=LIST), {"a": "x"}, {"a": ["x"]}, []),
        (of(a=LIST), of(a=TEXT), {"a": ["x"]}, {"a": "x"}, []),
        (of(a=LIST), of(a=TEXT), {"a": ["x", "y"]}, {}, [("/a", "lost", ["x", "y"])]),
        (of(a=TEXT), of(a={"type": "boolean"}), {"a": "ja"}, {"a": True}, []),
        (of(a=TEXT), of(a={"type": "string", "format": "date"}), {"a": "12.3.1990"}, {"a": "1990-03-12"}, []),
        (of(a=TEXT), of(a={"enum": ["Glad", "Sad"]}), {"a": "glad"}, {"a": "Glad"}, []),
        (of(a=TEXT), of(a={"enum": ["Glad"]}), {"a": "grim"}, {}, [("/a", "lost", "grim")]),
        (of(), of("a", a={"type": "string", "default": "x"}), {}, {"a": "x"}, []),
        (of(), of("a", a=TEXT), {}, {}, [("/a", "required", None)]),
        (of(a=TEXT), of(), {"a": "x"}, {}, [("/a", "lost", "x")]),
        (of(a=TEXT), of(), {"a": ""}, {}, []),
        (
            of(a=TEXT),
            of(a={"type": "string", "maxLength": 2}),
            {"a": "long"},
            {"a": "long"},
            [("/a", "max_length", "long")],
        ),
        (
            of(a={"type": "array", "items": {"type": "object", "properties": {"n": TEXT, "m": TEXT}}}),
            of(
                a={
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"k": {"type": "integer", "x-was": "n"}, "d": {"type": "string", "default": "y"}},
                        "additionalProperties": False,
                    },
                }
            ),
            {"a": [{"n": "1", "m": "x"}, {"n": "no"}]},
            {"a": [{"k": 1, "d": "y"}, {"d": "y"}]},
            [("/a/0/m", "lost", "x"), ("/a/1/k", "lost", "no")],
        ),
    ],
)
def test_records_are_brought_along(old, new, value, expected, problems):
    assert brought(old, new, value) == (expected, problems)


def test_what_the_schema_does_not_name_stays_where_it_may():
    old = schema.check({"type": "object", "properties": {"a": TEXT}})
    new = schema.check({"type": "object", "properties": {"a": WHOLE}})

    assert brought(old, new, {"a": "1", "other": {"b": [1]}}) == ({"a": 1, "other": {"b": [1]}}, [])


KINDS = [
    (TEXT, st.text("ab1", max_size=5)),
    (WHOLE, st.integers(-5, 5)),
    (NUMBER, st.integers(-5, 5).map(lambda n: n / 2)),
    ({"type": "boolean"}, st.booleans()),
    ({"type": "string", "enum": ["a", "b"]}, st.sampled_from(["a", "b"])),
    ({"type": "string", "maxLength": 2}, st.text("ab", max_size=2)),
    ({"type": "integer", "minimum": 0}, st.integers(0, 5)),
    (LIST, st.lists(st.text("ab", max_size=2), max_size=3)),
]


@st.composite
def pairs_of_schemas(draw):
    """An old schema with a value that fits it, and a new one."""
    properties, value = {}, {}
    for name in draw(st.sets(st.sampled_from("abcd"), min_size=1)):
        kind, values = draw(st.sampled_from(KINDS))
        properties[name] = kind
        if draw(st.booleans()):
            value[name] = draw(values)
    after = {}
    for name in draw(st.sets(st.sampled_from("abcdef"), min_size=1)):
        kind, _values = draw(st.sampled_from(KINDS))
        kept = draw(st.booleans())
        after[name] = dict(properties[name]) if kept and name in properties else dict(kind)
        if draw(st.booleans()) and name not in properties:
            after[name]["x-was"] = draw(st.sampled_from("abcd"))
    required = draw(st.lists(st.sampled_from(sorted(after)), max_size=2, unique=True))
    return of(**properties), of(*required, **after), value


def leaves(value):
    if isinstance(value, dict):
        return [leaf for each in value.values() for leaf in leaves(each)]
    if isinstance(value, list):
        return [leaf for each in value for leaf in leaves(each)]
    return [] if value is None or value == "" else [value]


@given(pairs_of_schemas())
def test_what_does_not_break_comes_along_and_nothing_is_lost_unseen(drawn):
    old, new, value = drawn
    assert old.is_valid(value)

    changes = schema_changes.compare(old, new)
    found = schema_changes.migrate(value, changes)

    if not changes.breaks:
        assert found.problems == (), (changes.items, value)
    if not found.problems:
        assert new.is_valid(found.value)
    lost = [leaf for problem in found.problems if problem.code == "lost" for leaf in leaves(problem.lost)]
    assert len(leaves(found.value)) + len(lost) == len(leaves(value))


def test_large_schemas_are_compared_at_bounded_cost():
    def wide(number):
        branch = {"anyOf": [{"type": "string", "pattern": f"^{n}a{number}"} for n in range(100)]}
        return schema.check({"type": "object", "properties": {f"p{n}": branch if n == 0 else TEXT for n in range(190)}})

    spent = time.process_time()
    assert schema_changes.compare(wide(1), wide(2)).breaks

    assert time.process_time() - spent < 5.0
