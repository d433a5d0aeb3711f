"""One rule for each kind of value, the same in forms, serializers, sockets, imports and commands."""

import time

import pytest
from django import forms
from rest_framework import serializers

from apps.core import rules
from apps.core.api import Serializer
from apps.core.errors import Invalid
from apps.core.rule_fields import Mail, MailField, Text, TextField, Url
from apps.core.rules import RuleBroken

RLO = "\u202e"


@pytest.mark.parametrize(
    ("rule", "given", "kept"),
    [
        (rules.NAME, "  Inês \t Duarte\n", "Inês Duarte"),
        (rules.NAME, "Robert'); DROP TABLE students;--", "Robert'); DROP TABLE students;--"),
        (rules.NAME, "<b>Bold & Sons</b>", "<b>Bold & Sons</b>"),
        (rules.NAME, "שלום 👩‍🚀", "שלום 👩‍🚀"),
        (rules.TITLE, "", ""),
        (rules.TITLE, "../../etc/passwd, explained", "../../etc/passwd, explained"),
        (rules.TAG, " Work  In Progress ", "work in progress"),
        (rules.TEXT, "  two\nlines\t", "two\nlines"),
        (rules.MESSAGE, "  <script>alert(1)</script>\n", "  <script>alert(1)</script>\n"),
        (rules.MAIL, " Ines@Example.org ", "Ines@Example.org"),
        (rules.URL, "https://models.example.org:8443/v1", "https://models.example.org:8443/v1"),
        (rules.DOMAIN, " Sand.Example. ", "sand.example"),
        (rules.DOMAIN, "bücher.example", "bücher.example"),
        (rules.SLUG, "harbour-2", "harbour-2"),
        (rules.HANDLE, "new_chat-2", "new_chat-2"),
        (rules.CURRENCY, "EUR", "EUR"),
        (rules.HEADER_NAME, "X-Team", "X-Team"),
        (rules.HEADER_VALUE, "Bearer a.b-c", "Bearer a.b-c"),
        (
            rules.TOPIC,
            "conversation:019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f11",
            "conversation:019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f11",
        ),
    ],
)
def test_what_is_kept(rule, given, kept):
    assert rule(given) == kept
    assert rule(kept) == kept  # once kept it stays


@pytest.mark.parametrize(
    ("rule", "given", "code"),
    [
        (rules.NAME, "", "blank"),
        (rules.NAME, " \t ", "blank"),
        (rules.NAME, "a\x00b", "name"),
        (rules.NAME, f"invoice{RLO}fdp.exe", "name"),
        (rules.NAME, "x" * 121, "max_length"),
        (rules.TITLE, "a\x07b", "title"),
        (rules.TAG, "x" * 41, "max_length"),
        (rules.TEXT, "half \ud800 pair", "text"),
        (rules.MESSAGE, "NUL \x00", "message"),
        (rules.MESSAGE, "x" * 100_001, "max_length"),
        (rules.MAIL, "nobody", "mail"),
        (rules.MAIL, "a@b@example.org", "mail"),
        (rules.MAIL, "a@example.org\nBcc: b@example.org", "mail"),
        (rules.URL, "javascript:alert(1)", "url"),
        (rules.URL, "https://", "url"),
        (rules.URL, "https://me:secret@example.org/", "url"),
        (rules.URL, "https://example.org:99999/", "url"),
        (rules.URL, "https://example.org\\@evil.example/", "url"),
        (rules.URL, "file:///etc/passwd", "url"),
        (rules.SLUG, "Not-A-Slug", "slug"),
        (rules.SLUG, "a--b", "slug"),
        (rules.HANDLE, "2fast", "handle"),
        (rules.CURRENCY, "EURO", "currency"),
        (rules.HEADER_NAME, "X Team", "header_name"),
        (rules.DOMAIN, "domain!!", "domain"),
        (rules.DOMAIN, "sand", "domain"),
        (rules.DOMAIN, "-a.example", "domain"),
        (rules.DOMAIN, f"a.{RLO}b.example", "domain"),
        (rules.DOMAIN, "", "blank"),
        (rules.DOMAIN, ".".join(["x" * 60] * 5), "max_length"),
        (rules.HEADER_VALUE, "a\r\nSet-Cookie: b", "header_value"),
        (rules.TOPIC, "nothing", "topic"),
        (rules.VERSION, "1.0", "version"),
    ],
)
def test_what_is_refused_with_which_code(rule, given, code):
    with pytest.raises(RuleBroken) as refused:
        rule(given, field="it")

    assert isinstance(refused.value, Invalid)
    assert [(each.field, each.code) for each in refused.value.fields] == [("it", code)]
    assert refused.value.fields[0].detail


def test_every_rule_has_one_code_of_its_own_and_a_sentence():
    assert set(rules.RULES) == {
        "name", "title", "tag", "text", "message", "mail", "url", "domain", "slug", "handle", "currency", "header_name", "header_value", "version", "topic",
    }  # fmt: skip
    assert all(str(rule.sentence).endswith(".") for rule in rules.RULES.values())


def test_tags_come_once_and_are_not_too_many():
    assert rules.tags(["B", "a", " b ", ""]) == ["b", "a"]
    with pytest.raises(RuleBroken) as refused:
        rules.tags([f"tag {n}" for n in range(21)])
    assert [(each.field, each.code) for each in refused.value.fields] == [("tags", "too_many")]


class _Shape(Serializer):
    name = Text(rules.NAME.of(10))
    title = Text(rules.TITLE, required=False)
    mail = Mail(required=False)
    url = Url(required=False, allow_blank=True)


class _Form(forms.Form):
    name = TextField(rules.NAME.of(10))
    title = TextField(rules.TITLE)


@pytest.mark.parametrize(
    ("given", "kept", "code"),
    [
        ("  Ann  Lee ", "Ann Lee", None),
        ("  ", None, "blank"),
        ("x" * 11, None, "max_length"),
        (f"a{RLO}b", None, "name"),
    ],
)
def test_forms_and_serializers_say_the_same(given, kept, code):
    form = _Form({"name": given})
    try:
        parsed, codes = _Shape.parse_data({"name": given})["name"], []
    except Invalid as refused:
        parsed, codes = None, [each.code for each in refused.fields]

    assert form.is_valid() is (code is None)
    assert (form.cleaned_data.get("name"), parsed) == (kept, kept)
    assert codes == ([code] if code else [])
    of_form = [each.code for each in form.errors.as_data().get("name", [])]
    assert of_form == ([{"blank": "required"}.get(code, code)] if code else [])


class _Letter(forms.Form):
    mail = MailField()


@pytest.mark.parametrize("given", ["nobody", "a@b@example.org", "x" * 250 + "@example.org", ""])
def test_a_form_refuses_what_is_no_address(given):
    assert _Letter({"mail": " ines@example.org "}).is_valid()
    assert not _Letter({"mail": given}).is_valid()


def test_fields_of_addresses_take_what_the_rules_take():
    good = {"name": "n", "mail": "a@example.org", "url": "https://example.org/x"}
    assert _Shape.parse_data(good) == good
    assert _Shape.parse_data({"name": "n", "url": ""})["url"] == ""
    with pytest.raises(Invalid) as refused:
        _Shape.parse_data({"name": "n", "mail": "x", "url": "https://a:b@example.org"})
    assert {each.field: each.code for each in refused.value.fields} == {"mail": "mail", "url": "url"}
    assert isinstance(_Shape().fields["mail"], serializers.EmailField)


def test_depth_of_json():
    rules.require_json_depth('{"a": "' + "[" * 500 + '"}')
    rules.require_json_depth("[" * 64 + "]" * 64)
    with pytest.raises(ValueError, match="depth"):
        rules.require_json_depth("[" * 65 + "]" * 65)


@pytest.mark.parametrize(
    "text", ["a" * 100_000, " " * 100_000, "a-" * 50_000, "@" * 100_000, "a." * 50_000, "\t\n" * 50_000]
)
def test_no_rule_takes_long_over_a_long_text(text):
    begun = time.monotonic()
    for rule in rules.RULES.values():
        try:
            rule(text)
        except RuleBroken:
            continue

    assert time.monotonic() - begun < 1.0
