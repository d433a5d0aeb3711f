"""Shapes of ``search/``."""

from __future__ import annotations

from rest_framework import serializers

from apps.core.api import PageQuery


class SearchIn(PageQuery):
    q = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")
    project = serializers.UUIDField(required=False)
    conversation = serializers.UUIDField(required=False)
    author = serializers.UUIDField(required=False)
    model = serializers.CharField(max_length=200, required=False)
    tag = serializers.CharField(max_length=40, required=False)
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)
    min_cost = serializers.FloatField(required=False, min_value=0)


class HitOut(serializers.Serializer):
    """``spans`` are [start, end] of the matches in ``snippet``; ``position`` is there for messages.

    A message may stand on another branch than one's own: ``conversations/{conversation}/messages/?message={id}`` reads it where it is.
    """

    kind = serializers.CharField()
    id = serializers.UUIDField()
    title = serializers.CharField()
    snippet = serializers.CharField()
    spans = serializers.ListField(child=serializers.ListField(child=serializers.IntegerField()))
    url = serializers.CharField()
    at = serializers.DateTimeField()
    conversation = serializers.UUIDField(allow_null=True)
    position = serializers.IntegerField(allow_null=True)
    role = serializers.CharField(allow_null=True)
    author = serializers.UUIDField(allow_null=True)


class HitsOut(serializers.Serializer):
    results = HitOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
