"""Words that are gone, or sealed, leave what was read out of them: suggestions, values without a place, questions. Records stay."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.extraction import asking, news, policies
from apps.extraction.events import ProposalRejected
from apps.extraction.models import ExtractionPart, ExtractionRun, FollowUp, Proposal
from apps.extraction.types import FollowUpStatus, ProposalStatus, QuestionState, RunStatus

#: What was decided is looked up no more after so long.
DECIDED_DAYS = 30
AT_ONCE = 500


@transaction.atomic
def forget_words(
    *, actor: Actor, conversation_id: UUID | None, message_id: UUID | None = None, file_id: UUID | None = None
) -> int:
    """Of one message, of a file, or of all that was said in a conversation; how many runs knew something of it.

    What nobody has decided is withdrawn. Of what became a record the record stays: somebody, or the collection's trust, took it.
    """
    require(policies.is_system(actor))
    runs = _runs_of(conversation_id, message_id, file_id)
    # In the order in which people who decide take them.
    list(FollowUp.objects.filter(proposal__run__in=runs.values("pk")).select_for_update().order_by("created_at", "pk"))
    found = list(runs.select_for_update().order_by("pk"))
    for run in found:
        rows = Proposal.objects.filter(run=run)
        if message_id is not None and run.conversation_id is not None:
            rows = rows.filter(pk__in=_perhaps_of(rows, message_id))
        _withdraw(actor, run, rows)
        empty_proposals(rows)
    ExtractionPart.objects.filter(run__in=[run.pk for run in found]).delete()
    ExtractionRun.objects.filter(pk__in=[run.pk for run in found]).update(unplaced=[], answered=[], updated_at=Now())
    return len(found)


def _runs_of(conversation_id: UUID | None, message_id: UUID | None, file_id: UUID | None) -> QuerySet[ExtractionRun]:
    rows = ExtractionRun.objects.all()
    if file_id is not None:
        return rows.filter(file_id=file_id)
    if message_id is not None:
        of_conversation = Q(conversation_id=conversation_id, conversation_id__isnull=False)
        of_its_files = Q(shown_under=message_id, file_id__isnull=False)
        of_its_wishes = Q(shown_under=message_id, operation_id__isnull=False)
        return rows.filter(Q(message_id=message_id) | of_conversation | of_its_files | of_its_wishes)
    return rows.filter(Q(conversation_id=conversation_id) | Q(shown_in=conversation_id))


def _perhaps_of(rows: QuerySet[Proposal], message_id: UUID) -> list[UUID]:
    """Read out of several messages: those of which a value was said in this one, and those that a model inferred from all of them."""
    return [
        row.pk
        for row in rows.only("sources")
        if not row.sources or any(each.get("message") in {None, str(message_id)} for each in row.sources)
    ]


def _withdraw(actor: Actor, run: ExtractionRun, rows: QuerySet[Proposal]) -> None:
    for proposal in rows.filter(status=ProposalStatus.PENDING).select_for_update():
        Proposal.objects.filter(pk=proposal.pk).update(
            status=ProposalStatus.REJECTED, version=proposal.version + 1, decided_at=Now(), updated_at=Now()
        )
        news.tell(run, ProposalRejected(proposal.pk, run.pk), actor=actor, proposal_id=proposal.pk)


def empty_proposals(rows: QuerySet[Proposal]) -> int:
    """They keep their place, what became of them and who decided; questions about them end."""
    ids = list(rows.values_list("pk", flat=True))
    for follow_up in FollowUp.objects.filter(proposal__in=ids):
        questions = asking.with_states(follow_up, asking.open_fields(follow_up), QuestionState.ABANDONED)
        ended = {"status": FollowUpStatus.ABANDONED} if follow_up.status == FollowUpStatus.OPEN else {}
        FollowUp.objects.filter(pk=follow_up.pk).update(title="", questions=questions, updated_at=Now(), **ended)
    return Proposal.objects.filter(pk__in=ids).update(
        data={}, sources=[], links=[], problems=[], duplicates=[], entity_id="", updated_at=Now()
    )


def forget_records(records: Iterable[UUID]) -> None:
    """Of records that are erased: the suggestions that became them, and what others say of them."""
    wanted = list(records)
    rows = Proposal.objects.filter(record__in=wanted)
    for pk, run_id in list(rows.values_list("pk", "run")):
        _forget_answers(run_id, pk)
    empty_proposals(rows)
    rows.update(record=None, made_id=None)
    named = Q()
    for pk in wanted:
        named |= Q(duplicates__contains=[{"record": str(pk)}])
    for proposal in Proposal.objects.filter(named, status=ProposalStatus.PENDING) if wanted else ():
        kept = [each for each in proposal.duplicates if UUID(each["record"]) not in set(wanted)]
        Proposal.objects.filter(pk=proposal.pk).update(duplicates=kept)


def _forget_answers(run_id: UUID, proposal_id: UUID) -> None:
    """What later messages answered about it."""
    said = ExtractionRun.objects.filter(answered__contains=[{"proposal": str(proposal_id)}])
    for run in said.filter(project__in=ExtractionRun.objects.filter(pk=run_id).values("project")):
        kept = [each for each in run.answered if each.get("proposal") != str(proposal_id)]
        ExtractionRun.objects.filter(pk=run.pk).update(answered=kept)


@transaction.atomic
def forget_decided(*, actor: Actor, limit: int = AT_ONCE) -> int:
    """Thirty days later: the words of what was rejected, and what found no place in runs of which nothing waits any more."""
    require(policies.is_system(actor))
    edge = Now() - timedelta(days=DECIDED_DAYS)
    rejected = Proposal.objects.filter(status=ProposalStatus.REJECTED, decided_at__lte=edge).exclude(data={})
    done = empty_proposals(Proposal.objects.filter(pk__in=list(rejected.values_list("pk", flat=True)[:limit])))
    given_up = ExtractionPart.objects.filter(
        run__status__in=(RunStatus.FAILED, RunStatus.COMPLETED), run__finished_at__lte=edge
    )
    done += ExtractionPart.objects.filter(pk__in=list(given_up.values_list("pk", flat=True)[:limit])).delete()[0]
    waiting = Proposal.objects.filter(run=OuterRef("pk"), status=ProposalStatus.PENDING)
    runs = ExtractionRun.objects.filter(~Exists(waiting), finished_at__lte=edge).exclude(unplaced=[], answered=[])
    ids = list(runs.values_list("pk", flat=True)[:limit])
    return done + ExtractionRun.objects.filter(pk__in=ids).update(unplaced=[], answered=[], updated_at=Now())
