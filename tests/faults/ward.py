"""One stack for all drills that break something: made once, put right after each, made anew after one that failed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from tests.faults.drill import ENV, LONG, Talker, invariants, seed
from tests.faults.volumes import Volume, can_mount
from tests.provider.fixtures import Provider
from tests.stack import Stack

PEOPLE = 150 if LONG else 45
REDIS_MEMORY = "512mb"
MEGABYTES = {"postgres": 500, "redis": 64, "media": 160}


class Ward:
    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._stack: Stack | None = None
        self._people: list[dict[str, Any]] = []
        self.volumes: dict[str, Volume] = {}

    @contextlib.contextmanager
    def admit(self) -> Iterator[tuple[Stack, Talker]]:
        """A whole stack and somebody new who talks."""
        stack = self._stack or self._make()
        try:
            self.put_right()
        except BaseException:
            self.discard()
            raise
        with contextlib.closing(Talker(stack, self.person())) as talker:
            yield stack, talker

    def discard(self) -> None:
        """After a drill that failed nobody trusts the stack any more; what its processes said is shown."""
        if self._stack is not None:
            for role in self._stack.roles:
                print(f"--- {role} ---\n{self._stack.log(role)[-6000:]}")
            self.close()

    def person(self) -> dict[str, Any]:
        assert self._stack is not None
        if not self._people:
            self._people = seed(self._stack, self._provider, people=PEOPLE)
        return self._people.pop()

    def put_right(self) -> None:
        """What a drill left broken: servers, processes, settings."""
        assert self._stack is not None
        stack, services = self._stack, self._stack.services
        assert services is not None
        assert services.postgres is not None
        assert services.redis is not None
        for volume in self.volumes.values():
            volume.free()
        for server in (services.postgres, services.redis):
            if not server.answers():
                server.start()
        stack.redis().config_set("maxmemory", REDIS_MEMORY)
        stack.start(*(role for role in stack.roles if not stack.is_running(role)))

    def examine(self) -> None:
        if self._stack is not None:
            invariants(self._stack)

    def close(self) -> None:
        if self._stack is not None:
            self._stack.stop()
            self._stack, self._people, self.volumes = None, [], {}

    def _make(self) -> Stack:
        stack = Stack(own_services=True, webs=2, env=ENV, prepare=self._mount if can_mount() else None)
        stack.__enter__()
        self._stack = stack
        return stack

    def _mount(self, stack: Stack) -> None:
        media = stack.folder / "data" / "files"
        media.mkdir(mode=0o700, parents=True)
        self.volumes = {"media": Volume(media, MEGABYTES["media"])}
        assert stack.services is not None
        for server in stack.services.servers:
            folder = server.folder  # below one of its own: initdb renames a finished cluster to this place
            owner = folder.stat()
            self.volumes[server.name] = Volume(folder.parent, MEGABYTES[server.name])
            folder.mkdir(mode=0o700)
            os.chown(folder, owner.st_uid, owner.st_gid)
        stack.before_removal += [volume.close for volume in self.volumes.values()]
