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
    """``left`` waits on, each with why. Many are accepted in pieces: ``next`` is the number to go on ``after``, null when that was all."""

    records = serializers.ListField(child=serializers.UUIDField())
    left = LeftOut(many=True)
    next = serializers.IntegerField(allow_null=True)


class AcceptAllQuery(Serializer):
    after = serializers.IntegerField(
        required=False, default=0, min_value=0, max_value=2**31 - 1, help_text="What `next` said, to go on."
    )


class ProposalAcceptIn(Serializer):
    data = AnyObject(required=False, help_text="Fields to change before the record is made. Null takes a field away.")
    into = serializers.UUIDField(required=False, help_text="A record that gets the fields, instead of a new one.")
