"""What suggestions lack, and what became of the questions about it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import TenantModel
from apps.extraction.models.records import Collection, Proposal
from apps.extraction.types import FollowUpStatus


class FollowUp(TenantModel):
    """What one suggestion lacks, and what became of the questions about it: they are asked in the conversation, once.

    ``subject`` is a digest of what it is about: the same thing, read out of other words, is not asked about again. ``questions`` is
    a list of ``{"field", "cause", "state", "message"}``: why it is asked (missing, ambiguous) and the message that answered it.
    """

    version = models.PositiveIntegerField(default=1, editable=False)
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+")
    collection = models.ForeignKey(Collection, on_delete=models.PROTECT, related_name="+")
    proposal = models.ForeignKey(Proposal, on_delete=models.CASCADE, related_name="+")
    conversation_id = models.UUIDField(editable=False)
    asked_in = models.UUIDField(null=True, editable=False)
    subject = models.BinaryField(max_length=32)
    title = models.CharField(max_length=300, blank=True)
    questions = models.JSONField(default=list)
    status = models.CharField(max_length=9, choices=FollowUpStatus.choices, default=FollowUpStatus.OPEN)

    class Meta:
        verbose_name = _("follow-up")
        verbose_name_plural = _("follow-ups")
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "conversation_id", "collection", "subject"], name="extraction_follow_up_once"
            ),
            models.UniqueConstraint(fields=["organization", "proposal"], name="extraction_follow_up_proposal"),
        ]
        indexes = [
            models.Index(fields=["conversation_id"], name="extraction_follow_up_open", condition=Q(status="open")),
            models.Index(fields=["project", "-created_at", "-id"], name="extraction_follow_up_list"),
        ]

    def __str__(self) -> str:
        return f"{self.proposal_id} {self.status}"
