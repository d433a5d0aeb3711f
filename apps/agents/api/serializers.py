from __future__ import annotations

from rest_framework import serializers

from apps.agents.models import Agent
from apps.core import rules
from apps.core.api import Serializer
from apps.core.rule_fields import Text


class ParametersIn(Serializer):
    temperature = serializers.FloatField(required=False, min_value=0, max_value=2)
    top_p = serializers.FloatField(required=False, min_value=0, max_value=1)
    max_output_tokens = serializers.IntegerField(required=False, min_value=1, max_value=1_000_000)


class AgentIn(Serializer):
    project = serializers.UUIDField()
    name = Text(rules.NAME.of(80))
    description = Text(rules.TEXT.of(300), required=False)
    instructions = Text(rules.TEXT.of(20_000), required=False)
    model = Text(rules.TITLE, required=False)
    parameters = ParametersIn(required=False)
    is_default = serializers.BooleanField(required=False)


class AgentChangeIn(Serializer):
    name = Text(rules.NAME.of(80), required=False)
    description = Text(rules.TEXT.of(300), required=False)
    instructions = Text(rules.TEXT.of(20_000), required=False)
    model = Text(rules.TITLE, required=False, allow_null=True)
    parameters = ParametersIn(required=False)
    is_default = serializers.BooleanField(required=False)


class AgentOut(serializers.ModelSerializer[Agent]):
    class Meta:
        model = Agent
        fields = (
            "id",
            "project",
            "name",
            "description",
            "instructions",
            "model",
            "parameters",
            "is_default",
            "version",
            "created_at",
            "updated_at",
        )


class AgentQuery(Serializer):
    project = serializers.UUIDField(required=False)
    cursor = serializers.CharField(required=False, max_length=500)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=100, default=50)


class AgentPageOut(serializers.Serializer):
    results = AgentOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
