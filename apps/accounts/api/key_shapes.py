"""Shapes of API keys."""

from __future__ import annotations

from rest_framework import serializers

from apps.accounts import policies
from apps.core import rules
from apps.core.api import Serializer
from apps.core.rule_fields import Text

MAX_SCOPES = len(policies.SCOPES)
MAX_NETWORKS = 50


class KeyIn(Serializer):
    organization = serializers.UUIDField()
    name = Text(rules.NAME)
    project = serializers.UUIDField(required=False, allow_null=True)
    scopes = serializers.ListField(
        child=serializers.CharField(max_length=40),
        required=False,
        max_length=MAX_SCOPES,
        help_text="None: all that its owner may do.",
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    allowed_networks = serializers.ListField(
        child=serializers.CharField(max_length=43),
        required=False,
        max_length=MAX_NETWORKS,
        help_text="Where it may be used from, such as 192.0.2.0/24 or 2001:db8::/32. None: anywhere.",
    )
    service_account = serializers.UUIDField(
        required=False, allow_null=True, help_text="Whose key it is to be. Without it: one's own."
    )


class KeyChangeIn(Serializer):
    name = Text(rules.NAME, required=False)
    project = serializers.UUIDField(required=False, allow_null=True)
    scopes = serializers.ListField(child=serializers.CharField(max_length=40), required=False, max_length=MAX_SCOPES)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    allowed_networks = serializers.ListField(
        child=serializers.CharField(max_length=43), required=False, max_length=MAX_NETWORKS
    )


class KeyRenewIn(Serializer):
    previous_until = serializers.DateTimeField(
        required=False,
        allow_null=True,
        help_text="Until when the secret so far works beside the new one: seven days at most. None: it ends at once.",
    )


class KeyOut(serializers.Serializer):
    id = serializers.UUIDField()
    organization = serializers.UUIDField(source="organization_id")
    project = serializers.UUIDField(source="project_id", allow_null=True)
    user = serializers.UUIDField(source="user_id")
    name = serializers.CharField()
    hint = serializers.CharField(help_text="The last four characters.")
    version = serializers.IntegerField()
    scopes = serializers.ListField(child=serializers.CharField())
    allowed_networks = serializers.ListField(child=serializers.CharField())
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    is_unused = serializers.BooleanField(help_text="Nobody used it for 90 days.")
    previous_until = serializers.DateTimeField(
        source="old_secret_until",
        allow_null=True,
        help_text="Until when the secret before still works, after a renewal.",
    )
    revoked_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class NewKeyOut(KeyOut):
    key = serializers.CharField(help_text="Shown this once.")


class KeyPageOut(serializers.Serializer):
    results = KeyOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
