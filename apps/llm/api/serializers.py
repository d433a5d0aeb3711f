"""Shapes of providers, models, use and budgets."""

from __future__ import annotations

from decimal import Decimal

from rest_framework import serializers

from apps.core import rules
from apps.core.api import PageQuery, Serializer
from apps.core.rule_fields import Text, Url
from apps.llm.models import ProviderSource
from apps.llm.presets import ProviderKind

MAX_TEXT = 1_000_000
SECONDS = {"min_value": 0.1, "max_value": 3600.0, "allow_null": True, "required": False}
PRICE = {"max_digits": 14, "decimal_places": 6, "min_value": Decimal(0)}


class InOrganizationQuery(PageQuery):
    organization = serializers.UUIDField(required=False)


class ProviderFields(Serializer):
    base_url = Url(required=False, allow_blank=True)
    headers = serializers.DictField(child=serializers.CharField(max_length=1000), required=False)
    connect_timeout_seconds = serializers.FloatField(**SECONDS)
    first_byte_timeout_seconds = serializers.FloatField(**SECONDS)
    gap_timeout_seconds = serializers.FloatField(**SECONDS)
    total_timeout_seconds = serializers.FloatField(**SECONDS)

    def validate_headers(self, value: dict[str, str]) -> dict[str, str]:
        if len(value) > 20 or any(len(name) > 100 for name in value):  # noqa: PLR2004
            raise serializers.ValidationError(code="too_many")
        return value


class ProviderIn(ProviderFields):
    organization = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=ProviderKind.choices)
    name = Text(rules.NAME.of(80))
    api_key = serializers.CharField(max_length=500, required=False, allow_blank=True, write_only=True)


class ProviderChangeIn(ProviderFields):
    name = Text(rules.NAME.of(80), required=False)
    is_enabled = serializers.BooleanField(required=False)
    api_key = serializers.CharField(
        max_length=500,
        required=False,
        allow_blank=True,
        write_only=True,
        help_text="Absent: the stored key stays. Empty: it is forgotten. A changed address forgets it too.",
    )


class ProviderOut(serializers.Serializer):
    """``base_url``, ``headers`` and time-outs are there only for those who may change them; the key never is."""

    id = serializers.UUIDField()
    organization = serializers.UUIDField(source="organization_id")
    kind = serializers.ChoiceField(choices=ProviderKind.choices)
    name = serializers.CharField()
    source = serializers.ChoiceField(choices=ProviderSource.choices)
    is_enabled = serializers.BooleanField()
    has_key = serializers.BooleanField()
    base_url = serializers.CharField(required=False)
    headers = serializers.ListField(child=serializers.CharField(), required=False, help_text="Names only.")
    timeouts = serializers.DictField(child=serializers.FloatField(allow_null=True), required=False)
    checked_at = serializers.DateTimeField(allow_null=True)
    check_code = serializers.CharField(help_text="Empty: it answered. Else the code of the error.")
    version = serializers.IntegerField()


class ProviderPageOut(serializers.Serializer):
    results = ProviderOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class ModelQuery(InOrganizationQuery):
    provider = serializers.UUIDField(required=False)
    is_enabled = serializers.BooleanField(required=False)


class ModelChangeIn(Serializer):
    label = Text(rules.NAME.of(200), required=False, allow_blank=True)
    is_enabled = serializers.BooleanField(required=False)
    context_window = serializers.IntegerField(min_value=1, max_value=100_000_000, required=False, allow_null=True)
    max_output_tokens = serializers.IntegerField(min_value=1, max_value=10_000_000, required=False, allow_null=True)
    input_price_per_million_tokens = serializers.DecimalField(**PRICE, required=False, allow_null=True)
    output_price_per_million_tokens = serializers.DecimalField(**PRICE, required=False, allow_null=True)
    cached_price_per_million_tokens = serializers.DecimalField(**PRICE, required=False, allow_null=True)
    currency = Text(rules.CURRENCY, required=False)
    can_see = serializers.BooleanField(required=False)
    can_call_tools = serializers.BooleanField(required=False)
    can_reason = serializers.BooleanField(required=False)
    can_structure = serializers.BooleanField(required=False)


class ModelOut(serializers.Serializer):
    """Prices are per million tokens; null where nobody has said."""

    id = serializers.UUIDField()
    organization = serializers.UUIDField(source="organization_id")
    provider = serializers.UUIDField(source="provider_id")
    provider_name = serializers.CharField(source="provider.name")
    provider_kind = serializers.ChoiceField(source="provider.kind", choices=ProviderKind.choices)
    name = serializers.CharField()
    label = serializers.CharField(source="__str__")
    is_enabled = serializers.BooleanField()
    is_available = serializers.SerializerMethodField()
    context_window = serializers.IntegerField(allow_null=True)
    max_output_tokens = serializers.IntegerField(allow_null=True)
    input_price_per_million_tokens = serializers.DecimalField(max_digits=14, decimal_places=6, allow_null=True)
    output_price_per_million_tokens = serializers.DecimalField(max_digits=14, decimal_places=6, allow_null=True)
    cached_price_per_million_tokens = serializers.DecimalField(max_digits=14, decimal_places=6, allow_null=True)
    currency = serializers.CharField()
    can_see = serializers.BooleanField()
    can_call_tools = serializers.BooleanField()
    can_reason = serializers.BooleanField()
    can_structure = serializers.BooleanField()
    version = serializers.IntegerField()

    def get_is_available(self, model: object) -> bool:
        return model.is_enabled and model.provider.is_enabled  # type: ignore[attr-defined]


class ModelPageOut(serializers.Serializer):
    results = ModelOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class DefaultsQuery(Serializer):
    organization = serializers.UUIDField()


class DefaultsIn(Serializer):
    organization = serializers.UUIDField()
    default = serializers.UUIDField(allow_null=True)
    fallback = serializers.UUIDField(allow_null=True)


class DefaultsOut(serializers.Serializer):
    """``default`` null: the best that is there. ``fallback`` null: nobody steps in."""

    organization = serializers.UUIDField(source="organization_id")
    default = serializers.UUIDField(source="default_id", allow_null=True)
    fallback = serializers.UUIDField(source="fallback_id", allow_null=True)
    version = serializers.IntegerField()


class UsageQuery(Serializer):
    organization = serializers.UUIDField()
    project = serializers.UUIDField(required=False)
    begin = serializers.DateTimeField(required=False, help_text="From the beginning of this month (UTC) when absent.")
    end = serializers.DateTimeField(required=False)


class UsageLineOut(serializers.Serializer):
    provider = serializers.CharField()
    model = serializers.CharField()
    purpose = serializers.CharField()
    calls = serializers.IntegerField()
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cost = serializers.DecimalField(max_digits=18, decimal_places=9)
    currency = serializers.CharField()


class OrganizationUsageOut(serializers.Serializer):
    begin = serializers.DateTimeField()
    end = serializers.DateTimeField()
    results = UsageLineOut(many=True)


class BudgetIn(Serializer):
    organization = serializers.UUIDField()
    limit = serializers.DecimalField(max_digits=18, decimal_places=9, min_value=Decimal(0), allow_null=True)
    currency = Text(rules.CURRENCY, default="USD")


class BudgetOut(serializers.Serializer):
    id = serializers.UUIDField()
    organization = serializers.UUIDField(source="organization_id")
    month = serializers.DateField()
    limit = serializers.DecimalField(max_digits=18, decimal_places=9, allow_null=True)
    spent = serializers.DecimalField(max_digits=18, decimal_places=9)
    reserved = serializers.DecimalField(max_digits=18, decimal_places=9)
    currency = serializers.CharField()
    version = serializers.IntegerField()


class BudgetPageOut(serializers.Serializer):
    results = BudgetOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class AnalyzeIn(Serializer):
    organization = serializers.UUIDField()
    text = serializers.CharField(max_length=MAX_TEXT, trim_whitespace=False)
    expected_output_tokens = serializers.IntegerField(min_value=0, max_value=10_000_000, default=500)


class ModelCostOut(serializers.Serializer):
    model = serializers.UUIDField()
    name = serializers.CharField()
    cost = serializers.DecimalField(max_digits=18, decimal_places=9, allow_null=True)
    currency = serializers.CharField()
    fits = serializers.BooleanField(allow_null=True, help_text="Into the context window; null where that is unknown.")


class AnalyzeOut(serializers.Serializer):
    characters = serializers.IntegerField()
    words = serializers.IntegerField()
    tokens = serializers.IntegerField(help_text="An estimate.")
    language = serializers.CharField(allow_null=True, help_text="ISO 639-1; null when it cannot be told.")
    models = ModelCostOut(many=True)


class RouteIn(Serializer):
    """``model``: an id, ``provider/name`` or a bare name; absent: who answers when nobody is named."""

    organization = serializers.UUIDField()
    text = serializers.CharField(max_length=MAX_TEXT, required=False, allow_blank=True, trim_whitespace=False)
    model = serializers.CharField(max_length=300, required=False)
    needs_images = serializers.BooleanField(default=False)
    needs_tools = serializers.BooleanField(default=False)


class RouteOut(serializers.Serializer):
    model = ModelOut()
    fallback = ModelOut(allow_null=True)
    why = serializers.ChoiceField(choices=["asked", "default", "best", "images", "tools", "context"])
    tokens = serializers.IntegerField()
