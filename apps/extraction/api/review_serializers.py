"""Shapes of what people do with what was suggested."""

from __future__ import annotations

from rest_framework import serializers

from apps.core.api import Serializer
from apps.extraction.api.serializers import AnyObject


class LeftOut(serializers.Serializer):
    proposal = serializers.UUIDField()
    code = serializers.CharField()
    detail = serializers.CharField()


class AllAcceptedOut(serializers.Serializer):
    """``left`` waits on, each with why."""

    records = serializers.ListField(child=serializers.UUIDField())
    left = LeftOut(many=True)


class ProposalAcceptIn(Serializer):
    data = AnyObject(required=False, help_text="Fields to change before the record is made. Null takes a field away.")
    into = serializers.UUIDField(required=False, help_text="A record that gets the fields, instead of a new one.")
