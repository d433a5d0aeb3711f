"""What an app adds to an export: of a project or an organization (nothing runs these yet: ``datamgmt`` will), and of a person,
who may take along what is kept of them (run by ``accounts``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.core.doors import Door
from apps.core.types import ActorRef


@dataclass(frozen=True, slots=True)
class ExportScope:
    viewer: ActorRef
    organization_id: UUID
    project_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Exporter:
    """``rows`` yields JSON objects of one kind, in a stable order, never more than the viewer may read."""

    kind: str
    rows: Callable[[ExportScope], Iterator[dict[str, Any]]]


exporters: Door[Exporter] = Door("exporter")


@dataclass(frozen=True, slots=True)
class PersonExporter:
    """``rows(user_id)`` gives what the app keeps of one person, by kind: never a secret, and nothing of others."""

    name: str
    rows: Callable[[UUID], dict[str, list[Mapping[str, object]]]]


person_exporters: Door[PersonExporter] = Door("person exporter")
