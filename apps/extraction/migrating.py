"""How far records of older schemas can be brought to a newer one: step by step, as the schemas followed each other.

Between two neighbours renames are told by ``x-was``, values are converted, defaults filled in (``schema_changes``). What a step in the middle
would refuse and the last one takes is no problem; a value that a step has no place for is lost for all after it, and is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from apps.extraction import schema_changes, shape
from apps.extraction.schema import Schema
from apps.extraction.schema_changes import Changes, Migrated, Problem

_SAMPLES = 5
_SHOWN = 120
_MOST_CAUSES = 200


class Path:
    """From every schema of a collection to the last of ``schemas``, which are by number and without a gap."""

    def __init__(self, schemas: Mapping[int, Schema]) -> None:
        self._schemas = dict(schemas)
        self.last = max(schemas)
        self._steps: dict[int, Changes] = {}

    def step(self, number: int) -> Changes:
        """From this schema to the next."""
        if number not in self._steps:
            self._steps[number] = schema_changes.compare(self._schemas[number], self._schemas[number + 1])
        return self._steps[number]

    def bring(self, data: Mapping[str, Any], number: int, *, language: str = "en") -> Migrated:
        value, problems = dict(data), []
        for each in range(number, self.last):
            found = schema_changes.migrate(value, self.step(each), language=language)
            value = found.value
            problems += [one for one in found.problems if each == self.last - 1 or one.code == "lost"]
        if number >= self.last:
            wrong = self._schemas[self.last].validate(value)
            problems = [Problem(each.field, each.code, each.detail) for each in wrong]
        return Migrated(shape.merged({}, value), tuple(problems))

    def renamed(self, name: str, number: int) -> str:
        """What a top field of that schema is called in the last."""
        place = f"/{name.replace('~', '~0').replace('/', '~1')}"
        for each in range(number, self.last):
            place = self.step(each).renames.get(place, place)
        return place[1:].replace("~1", "/").replace("~0", "~")


class Tally:
    """Problems of many records, counted by place and kind, with samples."""

    def __init__(self) -> None:
        self.records = self.fitting = 0
        self._causes: dict[tuple[str, str], dict[str, Any]] = {}

    def note(self, record_id: UUID, title: str, problems: Sequence[Problem]) -> None:
        self.records += 1
        self.fitting += not problems
        for problem in problems:
            key = (_general(problem.pointer), problem.code)
            if key not in self._causes and len(self._causes) >= _MOST_CAUSES:
                continue
            cause = self._causes.setdefault(key, {"detail": problem.detail, "count": 0, "samples": []})
            cause["count"] += 1
            if len(cause["samples"]) < _SAMPLES:
                value = shape.as_text(problem.lost)[:_SHOWN]
                cause["samples"].append({"record": str(record_id), "title": title, "value": value})

    def as_json(self) -> dict[str, Any]:
        causes = sorted(self._causes.items(), key=lambda item: -item[1]["count"])
        return {
            "records": self.records,
            "fitting": self.fitting,
            "problems": [{"field": place, "code": code, **cause} for (place, code), cause in causes],
        }

    def without_values(self) -> dict[str, Any]:
        """To be kept: of samples only which records they are."""
        found = self.as_json()
        for problem in found["problems"]:
            problem["samples"] = [{"record": each["record"]} for each in problem["samples"]]
        return found

    def samples_for(self, problems: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Problems that were kept without values, with what the records that were noted here say of them."""
        known = {(place, code): cause["samples"] for (place, code), cause in self._causes.items()}
        return [{**each, "samples": known.get((each["field"], each["code"]), [])} for each in problems]


class KeyTally:
    """Of records that share the values of a unique key, how many come after the first of them, with samples."""

    def __init__(self, keys: Sequence[Sequence[str]]) -> None:
        self._keys = [tuple(key) for key in keys]
        self._seen: list[set[bytes]] = [set() for _key in self._keys]
        self._found: list[dict[str, Any]] = [{"fields": [*key], "count": 0, "samples": []} for key in self._keys]

    def note(self, record_id: UUID, title: str, data: Mapping[str, Any]) -> None:
        for key, seen, found in zip(self._keys, self._seen, self._found, strict=True):
            if (digest := shape.key_of(key, data)) is None:
                continue
            if digest not in seen:
                seen.add(digest)
                continue
            found["count"] += 1
            if len(found["samples"]) < _SAMPLES:
                value = ", ".join(shape.as_text(data.get(name)) for name in key)[:_SHOWN]
                found["samples"].append({"record": str(record_id), "title": title, "value": value})

    def as_json(self) -> list[dict[str, Any]]:
        return [each for each in self._found if each["count"]]


def told(changes: Iterable[schema_changes.Change]) -> list[dict[str, Any]]:
    return [
        {"kind": each.kind.value, "before": each.before, "after": each.after, "breaks": each.breaks} for each in changes
    ]


def _general(place: str) -> str:
    """The same place of another record: items of lists are one."""
    return "/".join("*" if step.isdigit() else step for step in place.split("/"))
