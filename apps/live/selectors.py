"""Reads of the event log by topic."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

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


def topic_positions(topics: Iterable[str]) -> dict[str, int]:
    """Where the counters of these topics stand, in one query; a topic without events is left out."""
    return dict(Topic.objects.filter(name__in=list(topics)).values_list("name", "position"))
