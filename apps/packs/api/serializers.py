"""Shapes of the API of packs."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from apps.core import rules
from apps.core.api import PageQuery, Serializer
from apps.core.rule_fields import Text
from apps.packs.naming import MAX_PREFIX
from apps.packs.types import KEPT_REASONS, ObjectKind, ObjectState, Origin

_LANGUAGE = "Of those that the pack has; without it one's own, else the one that it is written in."
_PREFIX = "Goes before every name, so that the pack fits beside what has the same names."


class InstallationQuery(PageQuery):
    project = serializers.UUIDField(required=False)


class _Choices(Serializer):
    project = serializers.UUIDField()
    prefix = Text(rules.SLUG.of(MAX_PREFIX).or_empty(), required=False, help_text=_PREFIX)
    language = Text(rules.NAME.of(10), required=False, help_text=_LANGUAGE)


@extend_schema_serializer(
    examples=[
        OpenApiExample("film", {"project": "019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f12", "pack": "film"}, request_only=True)
    ]
)
class InstallIn(_Choices):
    pack = Text(rules.SLUG.of(40), help_text="The name of one that comes with the installation.")


class InstallFileIn(_Choices):
    """The same as a form, with a ZIP of a pack."""

    file = serializers.FileField(max_length=1000)


class UpgradeIn(Serializer):
    """To what comes with the installation."""


class UpgradeFileIn(Serializer):
    file = serializers.FileField(max_length=1000, help_text="A ZIP of the newer version.")


class RemoveIn(Serializer):
    everything = serializers.BooleanField(
        required=False, default=False, help_text="Also what was changed since and what has records."
    )


class ExportIn(Serializer):
    project = serializers.UUIDField()
    name = Text(rules.SLUG.of(40))
    version = Text(rules.VERSION, default="1.0.0")
    title = Text(rules.NAME.of(80))
    summary = Text(rules.TEXT.of(500))
    licence = Text(rules.NAME.of(80), help_text="As SPDX writes it.")
    collections = serializers.ListField(
        child=Text(rules.NAME.of(60)),
        max_length=200,
        required=False,
        help_text="Short names; with them only their templates go along. Without any: everything of the project.",
    )


class PackObjectOut(serializers.Serializer):
    kind = serializers.ChoiceField(choices=ObjectKind.choices)
    name = serializers.CharField()


class PackSampleOut(serializers.Serializer):
    title = serializers.CharField()
    text = serializers.CharField()


class PackOut(serializers.Serializer):
    name = serializers.CharField()
    version = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField()
    licence = serializers.CharField()
    language = serializers.CharField(help_text="In which it is described here.")
    languages = serializers.ListField(child=serializers.CharField())
    objects = PackObjectOut(many=True, help_text="What it brings.")
    samples = PackSampleOut(many=True)


class PackListOut(serializers.Serializer):
    results = PackOut(many=True)


class BroughtObjectOut(serializers.Serializer):
    kind = serializers.ChoiceField(choices=ObjectKind.choices, source="row.kind")
    name = serializers.CharField(source="row.name", help_text="The pack's word for it.")
    title = serializers.CharField(help_text="What it is called now.")
    id = serializers.UUIDField(source="row.object_id")
    is_own = serializers.BooleanField(source="row.is_own", help_text="Made by the pack; else it was there, and equal.")
    state = serializers.ChoiceField(choices=ObjectState.choices)


class InstallationOut(serializers.Serializer):
    id = serializers.UUIDField()
    project = serializers.UUIDField(source="project_id")
    name = serializers.CharField()
    prefix = serializers.CharField()
    version = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField()
    licence = serializers.CharField()
    language = serializers.CharField()
    origin = serializers.ChoiceField(choices=Origin.choices)
    object_count = serializers.IntegerField()
    samples = PackSampleOut(many=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class InstallationPageOut(serializers.Serializer):
    results = InstallationOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class OneInstallationOut(InstallationOut):
    objects = BroughtObjectOut(many=True)


class KeptOut(PackObjectOut):
    reason = serializers.ChoiceField(
        choices=KEPT_REASONS,
        help_text="Changed since; deleted since; has records or templates; fields of others point to it; another pack has it too, or "
        "something of it runs; it was there before the pack; the project needs it.",
    )


class ReportOut(serializers.Serializer):
    made = PackObjectOut(many=True)
    changed = PackObjectOut(many=True)
    removed = PackObjectOut(many=True)
    kept = KeptOut(many=True)
    operations = serializers.ListField(
        child=serializers.UUIDField(), help_text="They bring records along to the fields of now."
    )


class InstalledOut(serializers.Serializer):
    installation = InstallationOut()
    report = ReportOut()
