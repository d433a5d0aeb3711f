"""What a stage requires: predicates over records, steps and people, and the sentences that say what is missing.

Read in the transaction that lets a run go on, while the topics of the collections are held: whoever writes a record tells of it in its
collection's topic, so a record that changes meanwhile changed before the gate was looked at, or changes after it was passed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from apps.workflows.models import Run
from apps.workflows.types import RunStatus, StepStatus

#: Behind the name of a stage: the path of the step that is its gate.
MARK = "#gate"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one requirement. ``collection``: where what is missing is put right, unless it is for named people. ``is_known``: it could be judged."""

    is_met: bool
    says: str
    collection: UUID | None = None
    is_known: bool = True


@dataclass(slots=True)
class Sight:
    """What the predicates of one run look at. ``viewer`` is whose rights the run has."""

    run: Run
    viewer: Actor
    done: set[str]
    titles: dict[str, str]
    approvals: dict[str, list[UUID]]
    collections: dict[str, Any] = field(default_factory=dict)

    def collection(self, slug: str) -> Any:
        if slug not in self.collections:
            self.collections[slug] = records.find_collection(self.viewer, project_id=self.run.project_id, slug=slug)
        return self.collections[slug]


def sight_of(run: Run, viewer: Actor, *, at_gate: bool = False) -> Sight:
    """``at_gate``: the run stands before a stage, so that all it came through are done; else the last one still goes on."""
    found = selectors.list_gates(run)
    passed = [name_of(step.path) for step in found if step.status == StepStatus.COMPLETED]
    at_gate = at_gate or run.status == RunStatus.COMPLETED or any(step.status == StepStatus.WAITING for step in found)
    titles = stage_titles(run.followed.document)
    return Sight(run, viewer, set(passed if at_gate else passed[:-1]), titles, selectors.count_approvals(run))


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
    try:
        verdict = _KINDS[kind](gate[kind], sight)
    except DomainError as error:  # a condition that the collection does not know any more
        said = "; ".join([error.detail, *(each.detail for each in error.fields[:3])])
        verdict = Verdict(is_met=False, says=said, is_known=False)
    return replace(verdict, says=gate["says"]) if "says" in gate else verdict


def _rows(spec: Mapping[str, Any], collection: Any) -> Any:
    conditions = [read_condition(each) for each in spec.get("where", ())]
    with timezone.override(None):  # a gate says the same to everybody, wherever they look from
        return records.list_records(collection=collection, conditions=conditions, is_complete=spec.get("complete"))


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
        return Verdict(is_met=False, says=said % words, collection=place)
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
    titles = [row.title or str(row.pk) for row in lacking.order_by("created_at")[:4]]
    if titles:
        shown = ", ".join(titles[:3]) + (" …" if len(titles) > 3 else "")  # noqa: PLR2004  (three are shown)
        if _is_for_named(collection):
            shown = str(lacking.count())
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
    roles = {person.id: person.role for person in _people(sight)}
    count = sum(policies.has_role(roles.get(pk), least) for pk in sight.approvals.get(spec["stage"], ()))
    words = {"stage": sight.titles.get(spec["stage"], spec["stage"]), "count": count, "wanted": wanted}
    if count >= wanted:
        return Verdict(is_met=True, says=_("“%(stage)s” is approved.") % words)
    if least == "manager":
        return Verdict(is_met=False, says=_("“%(stage)s” is not approved by a manager.") % words)
    return Verdict(is_met=False, says=_("“%(stage)s” is not approved: %(count)d of %(wanted)d.") % words)


def _people(sight: Sight) -> Any:
    project = accounts.get_project(sight.run.project_id, sight.viewer)
    return accounts.list_people_of_project(project, sight.viewer)


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


_KINDS: dict[str, Callable[[Any, Sight], Verdict]] = {
    "records": _records,
    "every": _every,
    "stage": _stage,
    "approved": _approved,
    "any": _any,
    "not": _not,
}
