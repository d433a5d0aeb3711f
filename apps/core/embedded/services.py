"""Both servers of one data folder, under one lock."""

import fcntl
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from apps.core.embedded.folders import Notes, data_folder, socket_folder
from apps.core.embedded.postgres_server import ADMIN, APP, OWNER, PostgresServer
from apps.core.embedded.redis_server import RedisServer
from apps.core.embedded.service_user import service_user
from apps.core.embedded.types import EmbeddedError, ServiceStatus, ServiceUrls


class DataFolderInUse(EmbeddedError):
    pass


class DataFolderLock:
    """Held by whoever runs the servers of a data folder. The kernel drops it with the process, so it is never stale."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._descriptor: int | None = None

    def acquire(self) -> None:
        descriptor = os.open(self._data / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 20).decode() or "unknown"
            os.close(descriptor)
            raise DataFolderInUse(
                f"Parlance already runs on {self._data} (process {holder}): stop it first, or give this one a data "
                "folder of its own with PARLANCE_DATA_DIR."
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Services:
    """PostgreSQL and Redis of one data folder; either may be left out.

    ``with Services(path) as services`` takes the lock, starts them (in parallel) and stops them at the end. They also
    end when this process is killed (on Linux).
    """

    def __init__(self, data: Path, *, postgres: bool = True, redis: bool = True, durable: bool = True) -> None:
        self.data = data_folder(data)
        self._notes = Notes(self.data)
        self._lock = DataFolderLock(self.data)
        user = service_user()
        sockets = socket_folder(self.data, user)
        logs = self.data / "logs"
        logs.mkdir(mode=0o700, exist_ok=True)
        self.postgres = (
            PostgresServer(data=self.data, sockets=sockets, user=user, logs=logs, durable=durable) if postgres else None
        )
        self.redis = RedisServer(data=self.data, sockets=sockets, user=user, logs=logs) if redis else None
        self._sockets = sockets

    @property
    def servers(self) -> list[PostgresServer | RedisServer]:
        return [server for server in (self.postgres, self.redis) if server is not None]

    def __enter__(self) -> Self:
        self._lock.acquire()
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def lock(self) -> None:
        """Take the folder, or raise ``DataFolderInUse``; ``stop`` gives it back."""
        self._lock.acquire()

    def start(self) -> None:
        # Redis loads its file while PostgreSQL starts. Both are spawned by this thread: see die_with_parent.
        for server in self.servers:
            server.start()
        # Settings of other commands find the servers there while they run.
        self._notes.update(**self.urls().environment())

    def stop(self) -> None:
        """Redis first: the database is the last to go, as the truth lives there."""
        for server in reversed(self.servers):
            server.stop()
        self._lock.release()

    def wipe(self) -> None:
        """Remove all data of these servers. For tests, and for an operator who starts over."""
        for server in self.servers:
            server.wipe()
        if self.postgres is not None:
            self._notes.remove()

    def remove(self) -> None:
        """Stop, and remove the whole data folder and the socket folder."""
        self.wipe()
        self._lock.release()
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.rmtree(self._sockets, ignore_errors=True)

    def status(self) -> list[ServiceStatus]:
        return [server.status() for server in self.servers]

    def urls(self) -> ServiceUrls:
        return ServiceUrls(
            database=self.postgres.url(APP) if self.postgres else None,
            database_owner=self.postgres.url(OWNER) if self.postgres else None,
            database_admin=self.postgres.url(ADMIN, "postgres") if self.postgres else None,
            redis=self.redis.url() if self.redis else None,
        )
