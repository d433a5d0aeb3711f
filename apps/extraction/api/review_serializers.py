"""Shapes of what people do with a whole run."""

from __future__ import annotations

from rest_framework import serializers


class LeftOut(serializers.Serializer):
    proposal = serializers.UUIDField()
    code = serializers.CharField()
    detail = serializers.CharField()


class AllAcceptedOut(serializers.Serializer):
    """``left`` waits on, each with why."""

    records = serializers.ListField(child=serializers.UUIDField())
    left = LeftOut(many=True)
