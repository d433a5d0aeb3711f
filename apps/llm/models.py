"""Providers, their models and prices, the ledger of calls, and budgets."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import TenantModel
from apps.core.crypto import EncryptedTextField
from apps.llm.presets import Preset, ProviderKind, preset_of
from apps.llm.types import Purpose

MONEY_DIGITS, MONEY_PLACES = 18, 9
CODES_WITHOUT_LIST = frozenset({"model_missing", "provider_refused"})


class ProviderSource(models.TextChoices):
    ENVIRONMENT = "environment", _("Environment")
    PERSON = "person", _("Person")


class AttemptStatus(models.TextChoices):
    STARTED = "started", _("Started")
    COMPLETED = "completed", _("Completed")
    STOPPED = "stopped", _("Stopped")
    FAILED = "failed", _("Failed")
    LOST = "lost", _("Lost")


class MoneyField(models.DecimalField):
    """Billionths, so that a single cheap token still costs something."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**{"max_digits": MONEY_DIGITS, "decimal_places": MONEY_PLACES, **kwargs})


class Provider(TenantModel):
    """A place that answers: an account at a company, a server of one's own, or the demo. The key is never shown again.

    ``is_absent``: off because the environment named it no more, and on again when it does. What a person switched off stays off.
    ``worked_at``: when a test of this address last went well.
    """

    version = models.PositiveIntegerField(default=1, editable=False)
    kind = models.CharField(max_length=20, choices=ProviderKind.choices)
    name = models.CharField(_("name"), max_length=80)
    base_url = models.CharField(_("address"), max_length=300, blank=True)
    api_key = EncryptedTextField(blank=True, default="")
    source = models.CharField(max_length=11, choices=ProviderSource.choices, default=ProviderSource.PERSON)
    is_enabled = models.BooleanField(_("enabled"), default=True)
    is_absent = models.BooleanField(default=False, db_default=False, editable=False)
    sealed_headers = EncryptedTextField(blank=True, default="")
    connect_timeout_seconds = models.FloatField(null=True, blank=True)
    first_byte_timeout_seconds = models.FloatField(null=True, blank=True)
    gap_timeout_seconds = models.FloatField(null=True, blank=True)
    total_timeout_seconds = models.FloatField(null=True, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    check_code = models.CharField(max_length=60, blank=True, editable=False)
    worked_at = models.DateTimeField(null=True, blank=True, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("provider")
        verbose_name_plural = _("providers")
        constraints: ClassVar = [
            models.UniqueConstraint(
                "organization", Lower("name"), name="llm_provider_name_once", condition=Q(deleted_at=None)
            ),
            models.CheckConstraint(condition=Q(kind__in=ProviderKind.values), name="llm_provider_kind"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def preset(self) -> Preset:
        return preset_of(self.kind)

    @property
    def is_elsewhere(self) -> bool:
        """At an address that somebody named, not at its kind's own."""
        return bool(self.base_url) and self.base_url != self.preset.base_url

    @property
    def has_never_worked(self) -> bool:
        """Its last test failed and none went well before. Some that the operator named answer, but keep no list of models."""
        if not self.check_code or self.worked_at is not None:
            return False
        return self.source == ProviderSource.PERSON or self.check_code not in CODES_WITHOUT_LIST

    @property
    def headers(self) -> dict[str, str]:
        """Sent with every call. Their values are secrets like the key: gateways take tokens in headers."""
        return json.loads(self.sealed_headers) if self.sealed_headers else {}

    @headers.setter
    def headers(self, value: dict[str, str]) -> None:
        self.sealed_headers = json.dumps(value) if value else ""


class Model(TenantModel):
    """One model of a provider. Prices are per million tokens in ``currency``; None is unknown.

    ``rank`` orders what the catalogue prefers (lower first); ``is_customized`` keeps what a person set from the next refresh.
    ``is_absent``: off because the provider's list had it no more, and on again when it has.
    """

    version = models.PositiveIntegerField(default=1, editable=False)
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(_("name"), max_length=200)
    label = models.CharField(_("label"), max_length=200, blank=True)
    is_enabled = models.BooleanField(_("enabled"), default=True)
    is_absent = models.BooleanField(default=False, db_default=False, editable=False)
    is_customized = models.BooleanField(default=False, editable=False)
    rank = models.PositiveIntegerField(default=1000, editable=False)
    context_window = models.PositiveIntegerField(null=True, blank=True)
    max_output_tokens = models.PositiveIntegerField(null=True, blank=True)
    input_price_per_million_tokens = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    output_price_per_million_tokens = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    cached_price_per_million_tokens = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    currency = models.CharField(max_length=3, default="USD")
    can_see = models.BooleanField(_("reads images"), default=False)
    can_call_tools = models.BooleanField(_("calls tools"), default=False)
    can_reason = models.BooleanField(_("reasons"), default=False)
    can_structure = models.BooleanField(_("structured answers"), default=False)
    # Named somewhere as one that makes vectors of texts: it is called for that, switched on for conversations or not.
    can_embed = models.BooleanField(default=False, db_default=False, editable=False)

    class Meta:
        verbose_name = _("model")
        verbose_name_plural = _("models")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "provider", "name"], name="llm_model_name"),
        ]

    def __str__(self) -> str:
        return self.label or self.name


class ModelDefaults(TenantModel):
    """Who answers when nobody is named, and who answers when that one fails before its first word."""

    version = models.PositiveIntegerField(default=1, editable=False)
    default = models.ForeignKey(Model, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    fallback = models.ForeignKey(Model, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("default models")
        verbose_name_plural = _("default models")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization"], name="llm_modeldefaults_once"),
            models.CheckConstraint(
                condition=Q(default=None) | ~Q(default=models.F("fallback")), name="llm_modeldefaults_two"
            ),
        ]

    def __str__(self) -> str:
        return str(self.organization_id)


class CallAttempt(TenantModel):
    """The ledger: one row for every attempt, aborted ones too, with the prices of its time. Nothing points here."""

    turn_id = models.UUIDField(null=True)
    project_id = models.UUIDField(null=True)
    user_id = models.UUIDField(null=True)
    provider_id = models.UUIDField()
    model_id = models.UUIDField()
    provider_name = models.CharField(max_length=60)
    model_name = models.CharField(max_length=200)
    purpose = models.CharField(max_length=8, choices=[(p.value, p.value) for p in Purpose])
    attempt = models.PositiveIntegerField()
    status = models.CharField(max_length=10, choices=AttemptStatus.choices, default=AttemptStatus.STARTED)
    error_code = models.CharField(max_length=40, blank=True)
    error_said = models.CharField(max_length=500, blank=True)
    provider_status = models.PositiveSmallIntegerField(null=True)
    input_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    cached_tokens = models.PositiveIntegerField(default=0)
    reasoning_tokens = models.PositiveIntegerField(default=0)
    estimated = models.BooleanField(default=False)
    cost = MoneyField(default=Decimal(0))
    currency = models.CharField(max_length=3, default="USD")
    prices = models.JSONField(default=dict)
    expected_input_tokens = models.PositiveIntegerField(default=0)
    first_token_ms = models.PositiveIntegerField(null=True)
    duration_ms = models.PositiveIntegerField(null=True)
    correlation_id = models.CharField(max_length=64, blank=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("call")
        verbose_name_plural = _("calls")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "turn_id", "purpose", "attempt"],
                name="llm_callattempt_once",
                condition=Q(turn_id__isnull=False),
            ),
            models.CheckConstraint(condition=Q(status__in=AttemptStatus.values), name="llm_callattempt_status"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["organization", "started_at"], name="llm_callattempt_organization"),
            models.Index(fields=["turn_id"], name="llm_callattempt_turn", condition=Q(turn_id__isnull=False)),
            models.Index(fields=["started_at"], name="llm_callattempt_open", condition=Q(status="started")),
        ]

    def __str__(self) -> str:
        return f"{self.provider_name}/{self.model_name} #{self.attempt} {self.status}"


class Budget(TenantModel):
    """What an organization may spend in one month (UTC). ``spent + reserved`` never passes ``limit``."""

    version = models.PositiveIntegerField(default=1, editable=False)
    month = models.DateField(_("month"))
    limit = MoneyField(null=True, blank=True)
    spent = MoneyField(default=Decimal(0))
    reserved = MoneyField(default=Decimal(0))
    currency = models.CharField(max_length=3, default="USD")

    class Meta:
        verbose_name = _("budget")
        verbose_name_plural = _("budgets")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "month"], name="llm_budget_once"),
            models.CheckConstraint(condition=Q(limit=None) | Q(limit__gte=0), name="llm_budget_limit"),
            models.CheckConstraint(condition=Q(reserved__gte=0), name="llm_budget_reserved"),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}: {self.spent} / {self.limit}"


class BudgetReservation(TenantModel):
    """What one call may cost at most, taken from the budget before it and given back after it."""

    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="+")
    attempt_id = models.UUIDField(unique=True)
    amount = MoneyField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("reservation")
        verbose_name_plural = _("reservations")
        indexes: ClassVar = [
            models.Index(fields=["created_at"], name="llm_reservation_open", condition=Q(settled_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.amount} for {self.attempt_id}"
