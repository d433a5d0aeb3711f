"""What a stage requires: predicates over records, steps and people, and the sentences that say what is missing.

Read in the transaction that lets a run go on, while the topics of the collections are held: whoever writes a record tells of it in its
collection's topic, so a record that changes meanwhile changed before the gate was looked at, or changes after it was passed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.core.errors import DomainError
from apps.extraction import link_selectors as links
from apps.extraction import selectors as records
from apps.extraction.filters import read as read_condition
from apps.extraction.types import Visibility
from apps.workflows import policies, selectors
from apps.workflows.documents import stage_titles
from apps.workflows.models import Run, Step
from apps.workflows.types import RunStatus, StepStatus

#: Behind the name of a stage: the path of the step that is its gate.
MARK = "#gate"
#: Of records that lack something.
MOST_TITLES = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one requirement. ``collection``: where what is missing is put right, unless it is for named people. ``is_known``: it could be judged.
    ``reason``: what nobody sees by looking at the records, beside the definition's own words.
    """

    is_met: bool
    says: str
    collection: UUID | None = None
    is_known: bool = True
    reason: str = ""


@dataclass(slots=True)
class Glance:
    """What is read once for all that is drawn at once, the stages of a run or several runs beside a conversation. It is kept no longer:
    who lets a run into a stage looks anew, under the lock.
    """

    viewers: dict[Any, Actor] = field(default_factory=dict)
    collections: dict[Any, Any] = field(default_factory=dict)
    verdicts: dict[Any, Verdict] = field(default_factory=dict)
    people: dict[Any, Any] = field(default_factory=dict)

    def find(self, viewer: Actor, project_id: UUID, slugs: Iterable[str]) -> None:
        """The collections of these short names, in one query; None for those that are not there."""
        wanted = {slug for slug in slugs if (viewer, project_id, slug) not in self.collections}
        if not wanted:
            return
        rows = records.with_document(records.visible_collections(viewer)).filter(project=project_id, slug__in=wanted)
        found = {row.slug: row for row in rows}
        self.collections |= {(viewer, project_id, slug): found.get(slug) for slug in wanted}


@dataclass(slots=True)
class Sight:
    """What the predicates of one run look at. ``viewer`` is whose rights the run has."""

    run: Run
    viewer: Actor
    done: set[str]
    titles: dict[str, str]
    approvals: dict[str, list[UUID]]
    glance: Glance = field(default_factory=Glance)

    def collection(self, slug: str) -> Any:
        known, here = self.glance.collections, (self.viewer, self.run.project_id, slug)
        if here not in known:
            known[here] = records.find_collection(self.viewer, project_id=self.run.project_id, slug=slug)
        return known[here]

    @property
    def people(self) -> Any:
        """Of the project, with their roles."""
        known, here = self.glance.people, (self.viewer, self.run.project_id)
        if here not in known:
            project = accounts.get_project(self.run.project_id, self.viewer)
            known[here] = list(accounts.list_people_of_project(project, self.viewer))
        return known[here]


def sight_of(
    run: Run, viewer: Actor, *, found: Sequence[Step], at_gate: bool = False, glance: Glance | None = None
) -> Sight:
    """``found``: the gates that the run came through and waits at. ``at_gate``: the run stands before a stage, so that all it came through
    are done; else the last one still goes on.
    """
    passed = [name_of(step.path) for step in found if step.status == StepStatus.COMPLETED]
    at_gate = at_gate or run.status == RunStatus.COMPLETED or any(step.status == StepStatus.WAITING for step in found)
    done, titles = set(passed if at_gate else passed[:-1]), stage_titles(run.followed.document)
    return Sight(run, viewer, done, titles, selectors.count_approvals(run), glance or Glance())


def name_of(path: str) -> str:
    """The stage of a gate's step."""
    return path.removesuffix(MARK)


def slugs_in(gates: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for gate in gates:
        for name in ("records", "every"):
            if name in gate:
                yield gate[name]["collection"]
        yield from slugs_in(gate.get("any", ()))
        if "not" in gate:
            yield from slugs_in([gate["not"]])


def fields_in(gates: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """(collection, field) of what every record of a collection has to have."""
    for gate in gates:
        if "every" in gate:
            yield gate["every"]["collection"], gate["every"]["has"]
        yield from fields_in(gate.get("any", ()))
        if "not" in gate:
            yield from fields_in([gate["not"]])


def completed_in(gates: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Collections of which these ask whether records are complete."""
    for gate in gates:
        if "complete" in gate.get("records", {}):
            yield gate["records"]["collection"]
        yield from completed_in(gate.get("any", ()))
        if "not" in gate:
            yield from completed_in([gate["not"]])


def approvable(gates: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Stages that these want approved."""
    for gate in gates:
        if "approved" in gate:
            yield gate["approved"]["stage"]
        yield from approvable(gate.get("any", ()))
        if "not" in gate:
            yield from approvable([gate["not"]])


def judge(gates: Sequence[Mapping[str, Any]], sight: Sight) -> list[Verdict]:
    return [_judge(gate, sight) for gate in gates]


def _judge(gate: Mapping[str, Any], sight: Sight) -> Verdict:
    kind = next(name for name in _KINDS if name in gate)
    here = (sight.viewer, sight.run.project_id, json.dumps(gate, sort_keys=True)) if kind in _OF_RECORDS else None
    if here is not None and here in sight.glance.verdicts:
        return sight.glance.verdicts[here]
    verdict = _judged(gate, kind, sight)
    if here is not None:
        sight.glance.verdicts[here] = verdict
    return verdict


def _judged(gate: Mapping[str, Any], kind: str, sight: Sight) -> Verdict:
    try:
        verdict = _KINDS[kind](gate[kind], sight)
    except DomainError as error:  # a condition that the collection does not know any more
        said = "; ".join([error.detail, *(each.detail for each in error.fields[:3])])
        verdict = Verdict(is_met=False, says=said, is_known=False)
    says = " ".join(said for said in (gate.get("says", verdict.says), verdict.reason) if said)
    return replace(verdict, says=says, reason="")


def _rows(spec: Mapping[str, Any], collection: Any) -> Any:
    conditions = [read_condition(each) for each in spec.get("where", ())]
    with timezone.override(None):  # a gate says the same to everybody, wherever they look from
        rows = records.list_records(collection=collection, conditions=conditions)
    is_complete = spec.get("complete")
    return rows if is_complete is None else links.by_completeness(rows, collection=collection, is_complete=is_complete)


def _gone(spec: Mapping[str, Any], collection: Any) -> str:
    """Which records look complete and are not, since somebody deleted what they point to."""
    rows = links.hollow(_rows({**spec, "complete": None}, collection), collection=collection)
    if not (titles := _titles(rows, collection)):
        return ""
    return _("Not complete, since what they point to was deleted: %(titles)s.") % {"titles": titles}


def _titles(rows: Any, collection: Any) -> str:
    """The first three; of a collection for named people how many. Empty when there is none."""
    titles = [row.title or str(row.pk) for row in rows.order_by("created_at")[: MOST_TITLES + 1]]
    if titles and _is_for_named(collection):
        return str(rows.count())
    return ", ".join(titles[:MOST_TITLES]) + (" …" if len(titles) > MOST_TITLES else "")


def _is_for_named(collection: Any) -> bool:
    """Then not all who see the run see it: they are told what the definition says anyway, and how many."""
    return bool(collection.visibility == Visibility.NAMED)


def _place(collection: Any) -> UUID | None:
    return None if _is_for_named(collection) else collection.pk


def _name(collection: Any) -> str:
    return str(collection.slug if _is_for_named(collection) else collection.name)


def _no_collection(slug: str) -> Verdict:
    said = _("The project has no collection “%(name)s”.") % {"name": slug}
    return Verdict(is_met=False, says=said, is_known=False)


def _records(spec: Mapping[str, Any], sight: Sight) -> Verdict:
    if (collection := sight.collection(spec["collection"])) is None:
        return _no_collection(spec["collection"])
    place = _place(collection)
    least, most = spec.get("at_least", 0 if "at_most" in spec else 1), spec.get("at_most")
    count = _rows(spec, collection)[: max(least, (most or 0) + 1)].count()
    words = {"name": _name(collection), "least": least, "most": most, "count": count}
    if count < least:
        if spec.get("complete"):
            said = ngettext(
                "%(name)s: at least %(least)d complete record is needed, there are %(count)d.",
                "%(name)s: at least %(least)d complete records are needed, there are %(count)d.",
                least,
            )
        else:
            said = ngettext(
                "%(name)s: at least %(least)d record is needed, there are %(count)d.",
                "%(name)s: at least %(least)d records are needed, there are %(count)d.",
                least,
            )
        reason = _gone(spec, collection) if spec.get("complete") else ""
        return Verdict(is_met=False, says=said % words, collection=place, reason=reason)
    if most is not None and count > most:
        return Verdict(
            is_met=False, says=_("%(name)s: at most %(most)d records may be there.") % words, collection=place
        )
    return Verdict(is_met=True, says=_("%(name)s: there are enough records.") % words, collection=place)


def _every(spec: Mapping[str, Any], sight: Sight) -> Verdict:
    if (collection := sight.collection(spec["collection"])) is None:
        return _no_collection(spec["collection"])
    rows = _rows(spec, collection)
    words = {"name": _name(collection), "field": spec["has"]}
    if not spec.get("or_none") and not rows.exists():
        said = _("%(name)s: there is no record yet.") % words
        return Verdict(is_met=False, says=said, collection=_place(collection))
    lacking = links.lacking(rows, collection=collection, field=spec["has"])
    if shown := _titles(lacking, collection):
        said = _("%(name)s without “%(field)s”: %(titles)s.") % {**words, "titles": shown}
        return Verdict(is_met=False, says=said, collection=_place(collection))
    return Verdict(is_met=True, says=_("%(name)s: each has “%(field)s”.") % words, collection=_place(collection))


def _stage(name: str, sight: Sight) -> Verdict:
    words = {"stage": sight.titles.get(name, name)}
    if name in sight.done:
        return Verdict(is_met=True, says=_("“%(stage)s” is done.") % words)
    return Verdict(is_met=False, says=_("“%(stage)s” is not done.") % words)


def _approved(spec: Mapping[str, Any], sight: Sight) -> Verdict:
    """By people who have the role now: who left has no say any more."""
    least, wanted = spec.get("by", "manager"), spec.get("people", 1)
    roles = {person.id: person.role for person in sight.people}
    count = sum(policies.has_role(roles.get(pk), least) for pk in sight.approvals.get(spec["stage"], ()))
    words = {"stage": sight.titles.get(spec["stage"], spec["stage"]), "count": count, "wanted": wanted}
    if count >= wanted:
        return Verdict(is_met=True, says=_("“%(stage)s” is approved.") % words)
    if least == "manager":
        return Verdict(is_met=False, says=_("“%(stage)s” is not approved by a manager.") % words)
    return Verdict(is_met=False, says=_("“%(stage)s” is not approved: %(count)d of %(wanted)d.") % words)


def _any(gates: Sequence[Mapping[str, Any]], sight: Sight) -> Verdict:
    verdicts = judge(gates, sight)
    if any(verdict.is_met for verdict in verdicts):
        return Verdict(is_met=True, says=next(verdict.says for verdict in verdicts if verdict.is_met))
    said = " · ".join(verdict.says for verdict in verdicts)
    is_known = all(verdict.is_known for verdict in verdicts)
    return Verdict(is_met=False, says=_("One of these: %(all)s") % {"all": said}, is_known=is_known)


def _not(gate: Mapping[str, Any], sight: Sight) -> Verdict:
    """What cannot be judged, such as a collection that is gone, opens nothing either way."""
    verdict = _judge(gate, sight)
    if not verdict.is_known:
        return Verdict(is_met=False, says=verdict.says, is_known=False)
    return Verdict(is_met=not verdict.is_met, says=_("This must not be: %(what)s") % {"what": verdict.says})


#: What these say is the same of every run that reads with the same rights.
_OF_RECORDS = frozenset({"records", "every"})
_KINDS: dict[str, Callable[[Any, Sight], Verdict]] = {
    "records": _records,
    "every": _every,
    "stage": _stage,
    "approved": _approved,
    "any": _any,
    "not": _not,
}
