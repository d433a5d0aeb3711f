"""Which packs are in a project, and what each of them brought."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import TenantModel
from apps.core.types import Scope
from apps.packs.types import ObjectKind, Origin


class PackInstallation(TenantModel):
    """A pack in a project, as it was when it was installed or last upgraded. The same pack may be there again under a prefix."""

    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+")
    name = models.CharField(_("name"), max_length=40)
    prefix = models.CharField(_("prefix"), max_length=20, blank=True)
    version = models.CharField(_("version"), max_length=30)
    title = models.CharField(_("title"), max_length=80)
    summary = models.CharField(_("summary"), max_length=500)
    licence = models.CharField(_("licence"), max_length=80)
    language = models.CharField(_("language"), max_length=10)
    origin = models.CharField(max_length=8, choices=Origin.choices)
    # SHA-256 of all files of the pack, in hexadecimal digits.
    digest = models.CharField(max_length=64)
    samples = models.JSONField(default=list)
    installed_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name = _("installed pack")
        verbose_name_plural = _("installed packs")
        constraints = [
            models.UniqueConstraint(fields=["organization", "project", "name", "prefix"], name="packs_installed_once")
        ]
        indexes = [models.Index(fields=["project", "-created_at", "-id"], name="packs_installation_list")]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def scope(self) -> Scope:
        return Scope(f"project:{self.project_id}", self.organization_id, self.project_id)


class InstalledObject(TenantModel):
    """One thing that a pack brought. ``name`` is the pack's word for it; the thing itself is named by a plain id, because it may be
    deleted by whoever may. ``is_own``: the pack made it; else it was there before, equal to what the pack has.
    """

    installation = models.ForeignKey(
        PackInstallation, on_delete=models.CASCADE, related_name="+", db_index=False, verbose_name=_("installed pack")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=ObjectKind.choices)
    name = models.CharField(_("name"), max_length=150)
    object_id = models.UUIDField()
    # SHA-256 of what the thing said when it was brought (``contents``), in hexadecimal digits.
    digest = models.CharField(max_length=64)
    is_own = models.BooleanField(default=True)

    class Meta:
        verbose_name = _("object of a pack")
        verbose_name_plural = _("objects of packs")
        constraints = [
            models.UniqueConstraint(fields=["organization", "installation", "kind", "name"], name="packs_object_once")
        ]
        indexes = [
            models.Index(fields=["installation", "kind", "name"], name="packs_object_list"),
            models.Index(fields=["object_id"], name="packs_object_of"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
