"""Shapes of access and share links."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers

from apps.accounts.api.right_shapes import LayerOut
from apps.accounts.types import Permission, ProjectRole
from apps.conversations.api.serializers import NamedOut, PersonOut
from apps.conversations.types import VIEW_OR_POST, Role
from apps.core.api import Serializer


class _OfOne(Serializer):
    """A person or a team, not both."""

    user = serializers.UUIDField(required=False)
    team = serializers.UUIDField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("user" in attrs) == ("team" in attrs):
            raise serializers.ValidationError(_("Name a person or a team."), code="one_of")
        return attrs


class ConversationAccessOut(serializers.Serializer):
    user = serializers.UUIDField()
    name = serializers.CharField()
    may = serializers.ChoiceField(choices=VIEW_OR_POST, allow_null=True, help_text="What is left. Null: nothing.")
    role = serializers.ChoiceField(choices=ProjectRole.choices, allow_null=True, help_text="In the project.")
    project_layers = LayerOut(many=True)
    layers = LayerOut(many=True, help_text="What the conversation adds.")


class ParticipantIn(_OfOne):
    permission = serializers.ChoiceField(choices=VIEW_OR_POST, required=False, default=Permission.POST)


class ParticipantOut(PersonOut):
    can_post = serializers.BooleanField()


class ParticipantsOut(serializers.Serializer):
    owner = PersonOut()
    results = ParticipantOut(many=True)
    teams = ParticipantOut(many=True)


class DenialIn(_OfOne):
    permission = serializers.ChoiceField(choices=VIEW_OR_POST, required=False, default=Permission.VIEW)


class DenialOut(serializers.Serializer):
    id = serializers.UUIDField()
    user = PersonOut(allow_null=True)
    team = NamedOut(allow_null=True)
    permission = serializers.ChoiceField(choices=VIEW_OR_POST)


class DenialsOut(serializers.Serializer):
    results = DenialOut(many=True)


class LinkIn(Serializer):
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class LinkOut(serializers.Serializer):
    id = serializers.UUIDField()
    hint = serializers.CharField(help_text="The end of the address.")
    created_by = PersonOut()
    created_at = serializers.DateTimeField()
    shared_at = serializers.DateTimeField()
    up_to_position = serializers.IntegerField(help_text="Messages above it came after the sharing, and are absent.")
    expires_at = serializers.DateTimeField(allow_null=True)
    is_in_force = serializers.BooleanField()
    url = serializers.CharField(allow_null=True, help_text="Told once, when the link is made.")


class LinksOut(serializers.Serializer):
    results = LinkOut(many=True)


class SharedQuery(Serializer):
    after = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1)


class SharedMessageOut(serializers.Serializer):
    position = serializers.IntegerField()
    role = serializers.ChoiceField(choices=Role.choices)
    author = serializers.CharField()
    model = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    content = serializers.CharField()
    parts = serializers.ListField(
        child=serializers.DictField(), help_text="`text`, `file` (with `url`) and `citation`."
    )


class SharedOut(serializers.Serializer):
    title = serializers.CharField()
    shared_at = serializers.DateTimeField()
    messages = SharedMessageOut(many=True)
    next = serializers.IntegerField(allow_null=True, help_text="For `after`; null when that was all.")


_PERSON = {"id": "019a9c0e-6a6e-7c3b-8f52-0d4f3a1b2c3d", "name": "Inês Duarte"}
_GUEST = {"id": "019a9c0e-6a6e-7c3b-8f52-0d4f3a1b2c40", "name": "Marta Lind"}
_TEAM = {"id": "019a9c0e-6a6e-7c3b-8f52-0d4f3a1b2c3e", "name": "Research"}
PARTICIPANTS_EXAMPLES = [
    OpenApiExample(
        "participants",
        {"owner": _PERSON, "results": [_GUEST | {"can_post": False}], "teams": [_TEAM | {"can_post": True}]},
        response_only=True,
    )
]
PARTICIPANT_EXAMPLES = [
    OpenApiExample("a person who reads", {"user": _GUEST["id"], "permission": "view"}, request_only=True),
    OpenApiExample("a team that writes", {"team": _TEAM["id"], "permission": "post"}, request_only=True),
]
DENIAL_EXAMPLES = [
    OpenApiExample("nothing of it", {"user": _PERSON["id"], "permission": "view"}, request_only=True),
    OpenApiExample(
        "denied",
        {"id": "019a9c0e-6a6e-7c3b-8f52-0d4f3a1b2c41", "user": _PERSON, "team": None, "permission": "view"},
        response_only=True,
        status_codes=["201"],
    ),
]
LINK_EXAMPLES = [
    OpenApiExample("for a week", {"expires_at": "2026-11-28T12:00:00Z"}, request_only=True),
    OpenApiExample(
        "made",
        {
            "id": "019a9c0e-6a6e-7c3b-8f52-0d4f3a1b2c3f",
            "hint": "x7Qk",
            "created_by": _PERSON,
            "created_at": "2026-11-21T12:00:00Z",
            "shared_at": "2026-11-21T12:00:00Z",
            "up_to_position": 12,
            "expires_at": "2026-11-28T12:00:00Z",
            "is_in_force": True,
            "url": "https://parlance.example.org/s/…x7Qk/",
        },
        response_only=True,
        status_codes=["201"],
    ),
]
SHARED_EXAMPLES = [
    OpenApiExample(
        "shared",
        {
            "title": "The port",
            "shared_at": "2026-11-21T12:00:00Z",
            "messages": [
                {
                    "position": 1,
                    "role": "user",
                    "author": "Inês Duarte",
                    "model": None,
                    "created_at": "2026-11-20T09:30:00Z",
                    "content": "Who rewrites the manifests?",
                    "parts": [{"type": "text", "text": "Who rewrites the manifests?"}],
                    "sensitive": False,
                }
            ],
            "next": None,
        },
        response_only=True,
    )
]
