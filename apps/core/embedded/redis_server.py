"""One Redis on a unix socket, with an append-only file."""

import signal
import subprocess
import time
from pathlib import Path

import redis

from apps.core.embedded import processes
from apps.core.embedded.binaries import redis_binary
from apps.core.embedded.folders import remove_service_folder, service_folder
from apps.core.embedded.service_user import ServiceUser
from apps.core.embedded.types import EmbeddedError, ServiceStatus

FOLDER = "redis"
NAMES = ("redis-server", "valkey-server")
START_SECONDS = 30.0
STOP_STEPS = ((signal.SIGTERM, 10.0), processes.KILL)
SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    "databases": "64",
    "save": "",
    "appendonly": "yes",
    "appendfsync": "everysec",
    # A full Redis refuses writes, which the application notices; it never silently drops a queue or a stream.
    "maxmemory": "512mb",
    "maxmemory-policy": "noeviction",
}


class RedisServer:
    name = "redis"

    def __init__(self, *, data: Path, sockets: Path, user: ServiceUser, logs: Path) -> None:
        self._data, self._user = data, user
        self._socket = sockets / "redis.sock"
        self._log = logs / "redis.log"
        self._child: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None

    @property
    def folder(self) -> Path:
        if self._folder is None:
            self._folder = service_folder(self._data, FOLDER, self._user)
        return self._folder

    def url(self, database: int = 0) -> str:
        return f"unix://{self._socket}?db={database}"

    def start(self) -> None:
        """Return when PING is answered. What an earlier run left running or lying about is cleared first."""
        self.stop()
        if not self._launch():
            # Redis holds only what may be lost, and a file it cannot read must not keep the product from starting.
            self._set_aside_append_only_files()
            if not self._launch():
                raise EmbeddedError(f"Redis did not start: {self._last_log_line()} (all of it: {self._log})")

    def stop(self) -> None:
        """End the server of this data folder, whoever started it."""
        if self._child is not None:
            processes.end_child(self._child, *STOP_STEPS)
            self._child = None
        if self._socket.exists():
            processes.end(processes.find_in_folder(self.folder, names=NAMES), *STOP_STEPS)
        self._socket.unlink(missing_ok=True)

    def kill(self) -> None:
        """End at once, as a power failure would."""
        for process in processes.find_in_folder(self.folder, names=NAMES):
            process.kill()
        if self._child is not None:
            self._child.wait()

    def wipe(self) -> None:
        self.stop()
        remove_service_folder(self._data, FOLDER)
        self._folder = None

    def status(self) -> ServiceStatus:
        found = processes.find_in_folder(self.folder, names=NAMES) if self._socket.exists() else []
        return ServiceStatus(
            name=self.name, pid=found[0].pid if found else None, answers=bool(found) and self.answers()
        )

    def has_exited(self) -> bool:
        return self._child is None or self._child.poll() is not None

    def answers(self) -> bool:
        client = redis.Redis(unix_socket_path=str(self._socket), socket_timeout=5)
        try:
            return bool(client.ping())
        except redis.RedisError:  # BusyLoadingError among them: its file is still being read
            return False
        finally:
            client.close()

    def _launch(self) -> bool:
        command = [str(redis_binary(self._user))]
        for name, value in (SETTINGS | {"unixsocket": str(self._socket), "dir": str(self.folder)}).items():
            command += [f"--{name}", value]
        self._child = processes.launch_server(
            command, folder=self.folder, log=self._log, user=self._user, death_signal=signal.SIGTERM
        )
        deadline = time.monotonic() + START_SECONDS
        while not (self._socket.exists() and self.answers()):
            if self.has_exited() or time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _set_aside_append_only_files(self) -> None:
        mark = time.strftime("%Y%m%d-%H%M%S")
        for path in self.folder.glob("appendonly*"):
            if ".broken-" not in path.name:
                path.rename(path.with_name(f"{path.name}.broken-{mark}"))

    def _last_log_line(self) -> str:
        return (self._log.read_text(errors="replace").strip().splitlines() or ["it wrote nothing"])[-1]
