"""Content once an organization, files that name it, and what an organization uses."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import TenantModel
from apps.core.models import BaseModel
from apps.core.types import Scope
from apps.files.types import FileKind, FileState, Reason, TextState

MAX_TEXT = 1_000_000


class Blob(TenantModel):
    """Bytes at rest. ``path`` is generated; content is shared inside an organization only, so that nobody can find out
    by uploading it whether another organization has the same file.
    """

    sha256 = models.BinaryField(max_length=32, editable=False)
    size = models.BigIntegerField(editable=False)
    media_type = models.CharField(max_length=100, editable=False)
    path = models.CharField(max_length=100, unique=True, editable=False)

    class Meta:
        verbose_name = _("content")
        verbose_name_plural = _("contents")
        constraints = [
            models.UniqueConstraint(fields=["organization", "sha256"], name="files_blob_once"),
            models.CheckConstraint(condition=Q(size__gt=0), name="files_blob_not_empty"),
        ]

    def __str__(self) -> str:
        return bytes(self.sha256).hex()[:12]


class File(TenantModel):
    """One upload. ``name`` is what the person called it: for showing only, never a path.

    ``attached_at`` is when something was last known to use it: attached then, or found in use by the sweep.
    ``lease_until``, ``fence`` and ``attempts`` belong to the reading of its text (job ``files.process_file``).
    """

    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+", editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", editable=False)
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+", editable=False)
    preview = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+", null=True, blank=True, editable=False)
    downsized = models.ForeignKey(
        Blob, on_delete=models.PROTECT, related_name="+", null=True, blank=True, editable=False
    )
    name = models.CharField(_("name"), max_length=255)
    media_type = models.CharField(_("type"), max_length=100)
    kind = models.CharField(max_length=10, choices=FileKind.choices)
    size = models.BigIntegerField(_("size"))
    state = models.CharField(max_length=12, choices=FileState.choices, default=FileState.UPLOADING)
    reason = models.CharField(max_length=32, choices=Reason.choices, blank=True, default="")
    is_inline_safe = models.BooleanField(default=False)
    is_misnamed = models.BooleanField(default=False)
    width = models.PositiveIntegerField(null=True, blank=True)
    height = models.PositiveIntegerField(null=True, blank=True)
    text_state = models.CharField(max_length=12, choices=TextState.choices, default=TextState.NONE)
    text_reason = models.CharField(max_length=32, choices=Reason.choices, blank=True, default="")
    text_length = models.PositiveIntegerField(default=0)
    is_processed = models.BooleanField(default=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    attached_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("file")
        verbose_name_plural = _("files")
        constraints = [
            models.CheckConstraint(condition=Q(state__in=FileState.values), name="files_file_state"),
            models.CheckConstraint(condition=Q(kind__in=FileKind.values), name="files_file_kind"),
            models.CheckConstraint(condition=Q(text_state__in=TextState.values), name="files_file_text_state"),
        ]
        indexes = [
            models.Index(fields=["organization", "owner", "created_at"], name="files_file_owner"),
            models.Index(
                fields=["project", "-created_at", "-id"], name="files_file_list", condition=Q(deleted_at=None)
            ),
            models.Index(
                fields=["organization", "-created_at", "-id"],
                name="files_file_list_all",
                condition=Q(deleted_at=None),
            ),
            models.Index(
                fields=["created_at"], name="files_file_unprocessed", condition=Q(is_processed=False, deleted_at=None)
            ),
            models.Index(fields=["deleted_at"], name="files_file_deleted", condition=Q(deleted_at__isnull=False)),
            models.Index(
                fields=["created_at"], name="files_file_unattached", condition=Q(attached_at=None, deleted_at=None)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def extracted_text(self) -> str:
        """Empty while it is being read and where there is none; ``text_state`` says which."""
        text = getattr(self, "text", None)
        return text.content if text is not None else ""

    @property
    def scope(self) -> Scope:
        return Scope(topic=f"user:{self.owner_id}", organization_id=self.organization_id, project_id=self.project_id)


class FileText(TenantModel):
    """The text found in a file, apart from it because lists of files must not carry a million characters each."""

    file = models.OneToOneField(File, on_delete=models.CASCADE, related_name="text")
    content = models.TextField()
    is_truncated = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("text of a file")
        verbose_name_plural = _("texts of files")

    def __str__(self) -> str:
        return str(self.file_id)


class StorageUse(BaseModel):
    """What an organization's files take. Charged by one conditional UPDATE, so that parallel uploads cannot pass the quota.

    ``quota_bytes`` empty means the installation's default.
    """

    organization = models.OneToOneField(
        "accounts.Organization", on_delete=models.PROTECT, related_name="+", editable=False
    )
    used_bytes = models.BigIntegerField(default=0)
    quota_bytes = models.BigIntegerField(null=True, blank=True)

    class Meta:
        verbose_name = _("storage use")
        verbose_name_plural = _("storage use")
        constraints = [models.CheckConstraint(condition=Q(used_bytes__gte=0), name="files_storageuse_not_negative")]

    def __str__(self) -> str:
        return f"{self.used_bytes}"
