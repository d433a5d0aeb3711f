from django.apps import AppConfig


class RoomConfig(AppConfig):
    name = "tests.live.roomapp"
    label = "rooms"

    def ready(self):
        from apps.core.doors.topics import topics
        from tests.live.rooms import RoomKind

        topics.register("room", RoomKind())
