"""Reads of the event log by topic."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models.functions import JSONObject

from apps.core.compiled import Compiled
from apps.core.doors.topics import TopicEvent
from apps.core.events import public_name
from apps.core.models import Event, Topic

PAGE = 500


def list_topic_events(topic: str, after: int) -> list[TopicEvent]:
    """The next events of a topic after a position, oldest first, at most ``PAGE``."""
    return [
        TopicEvent(
            id=id_,
            topic_position=position,
            event=public_name(type_),
            type=type_,
            payload=payload,
            subject_id=subject,
            actor_id=actor,
        )
        for id_, position, type_, payload, subject, actor in _events_after.fetch(topic=topic, after=after)
    ]


_events_after: Compiled[Any] = Compiled(
    lambda *, topic, after: (
        Event.objects.filter(topic=topic, topic_position__gt=after)
        .order_by("topic_position")
        .values_list("id", "topic_position", "type", "payload", "subject_id", "actor_id")[:PAGE]
    )
)


def events_beside(topic: str, after: int) -> ArraySubquery:
    """The same beside a row that the viewer may see, so that rights and events are one question; for ``read_events``."""
    events = Event.objects.filter(topic=topic, topic_position__gt=after).order_by("topic_position")
    fields = ("id", "topic_position", "type", "payload", "subject_id", "actor_id")
    return ArraySubquery(events.values(told=JSONObject(**{name: name for name in fields}))[:PAGE])


def read_events(told: Iterable[dict[str, Any]]) -> list[TopicEvent]:
    return [
        TopicEvent(
            id=UUID(each["id"]),
            topic_position=each["topic_position"],
            event=public_name(each["type"]),
            type=each["type"],
            payload=each["payload"],
            subject_id=UUID(each["subject_id"]) if each["subject_id"] else None,
            actor_id=UUID(each["actor_id"]) if each["actor_id"] else None,
        )
        for each in told
    ]


def topic_positions(topics: Iterable[str]) -> dict[str, int]:
    """Where the counters of these topics stand, in one query; a topic without events is left out."""
    return dict(Topic.objects.filter(name__in=list(topics)).values_list("name", "position"))
