"""Rules (``core.rules``) as fields: ``Text`` for REST framework's serializers, ``TextField`` for Django's forms."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from rest_framework import serializers

from apps.core import rules
from apps.core.rules import MAIL, URL, Rule, RuleBroken


class Text(serializers.CharField):
    """``Text(rules.NAME)``. White space is the rule's business; so is what may be empty, unless ``allow_blank`` says more."""

    def __init__(self, rule: Rule, **kwargs: Any) -> None:
        kwargs.setdefault("allow_blank", rule.allows_empty)
        self.rule = rule.or_empty()  # what is empty was judged by then
        super().__init__(trim_whitespace=False, max_length=rule.max_length, **kwargs)
        if rule.pattern:  # read by the schema; what does not match was refused before
            self.validators.append(RegexValidator(f"^{rule.pattern}$", code=rule.code))

    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        try:
            kept = self.rule(value)
        except RuleBroken as broken:
            raise serializers.ValidationError(broken.sentence, code=broken.rule_code) from None
        if not kept and not self.allow_blank:
            self.fail("blank")
        return kept


class Mail(Text, serializers.EmailField):
    """``rules.MAIL``; the schema says ``format: email``."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(MAIL, **kwargs)


class Url(Text, serializers.URLField):
    """``rules.URL``; the schema says ``format: uri``."""

    def __init__(self, rule: Rule = URL, **kwargs: Any) -> None:
        super().__init__(rule, **kwargs)


def _in_a_form(rule: Rule, value: str) -> str:
    try:
        return rule(value)
    except RuleBroken as broken:
        if broken.rule_code == "max_length":  # the field has its own sentence
            return value
        raise ValidationError(broken.sentence, code=broken.rule_code) from None


class TextField(forms.CharField):
    """``TextField(rules.NAME, label=…)`` in a form."""

    def __init__(self, rule: Rule, **kwargs: Any) -> None:
        kwargs.setdefault("required", not rule.allows_empty)
        self.rule = rule.or_empty()
        super().__init__(max_length=rule.max_length, strip=False, **kwargs)

    def clean(self, value: Any) -> str:
        written = (super().to_python(value) or "").replace("\r\n", "\n")  # as browsers end a line
        return super().clean(_in_a_form(self.rule, written))


class DescriptionField(TextField):
    """What something is about, in a line or some: at most 500 characters."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(rules.TEXT.of(500), widget=forms.Textarea(attrs={"rows": 3}), **kwargs)


class MailField(forms.EmailField):
    """``rules.MAIL`` in a form."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": MAIL.max_length, **kwargs})

    def clean(self, value: Any) -> str:
        return super().clean(_in_a_form(MAIL.or_empty(), super().to_python(value) or ""))
