"""A topic kind for tests: everybody may follow a room, except whom Redis calls denied (so that other processes know)."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from django.db import transaction

from apps.core import redis
from apps.core.doors.topics import Snapshot, topics
from apps.core.events import Emitted, emit, event
from apps.core.models import Topic
from apps.core.types import SYSTEM, Scope


@event("tests.room_changed.v1", public="room.changed")
@dataclass(frozen=True)
class RoomChanged:
    number: int


class RoomKind:
    def is_allowed(self, viewer, object_id):
        try:
            return not redis.client().sismember(redis.key("denied"), str(viewer.user_id))
        except redis.Away:
            return True

    def may_write(self, viewer, object_id):
        return True

    def snapshot(self, viewer, object_id):
        row = Topic.objects.filter(name=f"room:{object_id}").first()
        return Snapshot(row.position if row else 0, {"room": str(object_id)})

    def render(self, viewer, object_id, events):
        return [{"number": each.payload["number"]} for each in events]

    def running_turns(self, object_id):
        return []


def register() -> None:
    """Without the door, which is closed once the apps are ready."""
    topics._items.setdefault("room", RoomKind())


def unregister() -> None:
    topics._items.pop("room", None)


def new_room() -> tuple[UUID, str]:
    room = uuid4()
    return room, f"room:{room}"


@transaction.atomic
def change(topic: str, number: int) -> Emitted:
    return emit(RoomChanged(number), actor=SYSTEM, scope=Scope(topic=topic))
