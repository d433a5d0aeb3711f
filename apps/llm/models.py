"""Providers, their models, and which ones an organization answers with."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import TenantModel
from apps.core.crypto import EncryptedTextField


class Provider(TenantModel):
    """Where models are called. ``api_key`` is encrypted and never shown again."""

    version = models.PositiveIntegerField(default=1, editable=False)
    kind = models.CharField(max_length=20)
    name = models.CharField(_("name"), max_length=80)
    base_url = models.CharField(_("address"), max_length=300, blank=True)
    api_key = EncryptedTextField(blank=True, default="")
    source = models.CharField(
        max_length=11, choices=[("person", "person"), ("environment", "environment")], default="person"
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    check_code = models.CharField(max_length=60, blank=True, editable=False)

    class Meta:
        verbose_name = _("provider")
        verbose_name_plural = _("providers")
        constraints = [models.UniqueConstraint(fields=["organization", "name"], name="llm_provider_name")]

    def __str__(self) -> str:
        return self.name


class Model(TenantModel):
    """One model of a provider. Prices are per million tokens in ``currency``; None is unknown."""

    version = models.PositiveIntegerField(default=1, editable=False)
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(_("name"), max_length=150)
    label = models.CharField(_("label"), max_length=150, blank=True)
    context_window = models.PositiveIntegerField(null=True, blank=True)
    max_output_tokens = models.PositiveIntegerField(null=True, blank=True)
    input_price_per_million_tokens = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    output_price_per_million_tokens = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    cached_price_per_million_tokens = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    currency = models.CharField(max_length=3, default="USD")
    can_see = models.BooleanField(default=False)
    can_call_tools = models.BooleanField(default=False)
    can_reason = models.BooleanField(default=False)
    can_structure = models.BooleanField(default=False)
    is_enabled = models.BooleanField(_("enabled"), default=True)

    class Meta:
        verbose_name = _("model")
        verbose_name_plural = _("models")
        constraints = [
            models.UniqueConstraint(fields=["organization", "provider", "name"], name="llm_model_name"),
        ]

    def __str__(self) -> str:
        return self.label or self.name


class ModelDefaults(TenantModel):
    """Who answers when nobody is named, and who answers when that one fails before its first word."""

    default = models.ForeignKey(Model, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    fallback = models.ForeignKey(Model, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization"], name="llm_modeldefaults_once"),
            models.CheckConstraint(
                condition=Q(default=None) | ~Q(default=models.F("fallback")), name="llm_modeldefaults_two"
            ),
        ]

    def __str__(self) -> str:
        return str(self.organization_id)
