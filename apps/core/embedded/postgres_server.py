"""One PostgreSQL cluster on a unix socket, with the two roles and the extension that Parlance needs."""

import os
import secrets
import signal
import subprocess
import time
from pathlib import Path
from typing import LiteralString

import psutil
import psycopg
from psycopg import sql

from apps.core.embedded import processes
from apps.core.embedded.binaries import POSTGRES_MAJOR, postgres_folder
from apps.core.embedded.folders import Notes, owned_folder, remove_service_folder, service_folder
from apps.core.embedded.service_user import ServiceUser
from apps.core.embedded.types import EmbeddedError, ServiceStatus

FOLDER = f"pg{POSTGRES_MAJOR}"
DATABASE = "parlance"
OWNER, APP, ADMIN = "parlance_owner", "parlance_app", "postgres"
START_SECONDS = 60.0  # crash recovery of a busy cluster may take a while

#: Given on the command line at every start, so that a new release's values reach an old cluster.
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "effective_cache_size": "512MB",
    "max_wal_size": "512MB",
    "jit": "off",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
    "idle_in_transaction_session_timeout": "5min",
}
#: For tests: a power failure may cost everything, a killed server nothing. (`synchronous_commit=off` would be faster by
#: little and lose acknowledged rows on kill -9, which drills assert never happens.) Several installations share the server.
FAST_SETTINGS = {"fsync": "off", "full_page_writes": "off", "max_connections": "300"}

#: Steps to end a server: fast shutdown (sessions are cut, data is written), immediate, kill.
STOP_STEPS = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), processes.KILL)

# In template1, so that every database made later (one for each test worker) has the extension and the grants.
PREPARE_TEMPLATE: tuple[LiteralString, ...] = (
    "CREATE EXTENSION IF NOT EXISTS vector",
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    "GRANT USAGE, CREATE ON SCHEMA public TO parlance_owner",
    "GRANT USAGE ON SCHEMA public TO parlance_app",
    """ALTER DEFAULT PRIVILEGES FOR ROLE parlance_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO parlance_app""",
    """ALTER DEFAULT PRIVILEGES FOR ROLE parlance_owner IN SCHEMA public
    GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO parlance_app""",
)


class PostgresServer:
    name = "postgres"

    def __init__(self, *, data: Path, sockets: Path, user: ServiceUser, logs: Path, durable: bool = True) -> None:
        """``durable=False`` is for tests: no fsync, and the owner may create databases."""
        self._data, self._sockets, self._user, self._durable = data, sockets, user, durable
        self._log = logs / "postgres.log"
        self._notes = Notes(data)
        self._child: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None

    @property
    def folder(self) -> Path:
        if self._folder is None:
            self._folder = service_folder(self._data, FOLDER, self._user)
        return self._folder

    def url(self, role: str, database: str = DATABASE) -> str:
        password = self._notes.read()[f"password_{role}"]
        return f"postgresql://{role}:{password}@/{database}?host={self._sockets}"

    def start(self) -> None:
        """Return when a query is answered. What an earlier run left running or lying about is cleared first."""
        self.stop()
        if not (self.folder / "PG_VERSION").exists():
            self._initialize()
        if f"password_{ADMIN}" not in self._notes.read():
            self._reset_password()
        self._launch()
        self._wait_until_answering()
        if self._notes.read().get("postgres_prepared") != "yes":
            self._prepare()

    def stop(self) -> None:
        """End the server of this data folder, whoever started it, and remove what it left."""
        if self._child is not None:
            processes.end_child(self._child, *STOP_STEPS)
            self._child = None
        postmaster = self._find_postmaster()
        if postmaster is not None:
            processes.end([postmaster], *STOP_STEPS)
        left_over = (self.folder / "postmaster.pid").exists()
        if left_over:
            # The postmaster was killed. Its sessions hold the shared memory, which would forbid a new start.
            orphans = processes.find_in_folder(self.folder, names=["postgres"])
            processes.end(orphans, (signal.SIGQUIT, 2.0), processes.KILL)
        for path in (self.folder / "postmaster.pid", self._socket, self._socket.with_name(f"{self._socket.name}.lock")):
            path.unlink(missing_ok=True)

    def kill(self) -> None:
        """End at once, as a power failure would."""
        for process in processes.find_in_folder(self.folder, names=["postgres"]):
            process.kill()
        if self._child is not None:
            self._child.wait()

    def wipe(self) -> None:
        self.stop()
        remove_service_folder(self._data, FOLDER)
        self._folder = None

    def status(self) -> ServiceStatus:
        postmaster = self._find_postmaster()
        return ServiceStatus(
            name=self.name, pid=postmaster.pid if postmaster else None, answers=bool(postmaster) and self.answers()
        )

    def has_exited(self) -> bool:
        return self._child is None or self._child.poll() is not None

    def answers(self) -> bool:
        """A query was answered: an open socket says little (starting up, out of connections, shutting down)."""
        try:
            with psycopg.connect(self.url(ADMIN, "postgres"), connect_timeout=5, autocommit=True) as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except (psycopg.Error, KeyError):
            return False

    @property
    def _socket(self) -> Path:
        return self._sockets / ".s.PGSQL.5432"

    def _binary(self, name: str) -> str:
        return str(postgres_folder(self._user) / "bin" / name)

    def _find_postmaster(self) -> psutil.Process | None:
        """The live postmaster of this folder.

        The number in postmaster.pid may by now belong to another program (after a reboot it often does): it counts
        only when that process is a postgres in this folder that did not start after the file was written.
        """
        try:
            lines = (self.folder / "postmaster.pid").read_text().splitlines()
            process, written = psutil.Process(int(lines[0])), float(lines[2])
            started_later = process.create_time() > written + 10
            ours = process.name() == "postgres" and processes.working_folder(process) == self.folder
        except (FileNotFoundError, IndexError, ValueError, psutil.Error):
            return None
        return process if ours and not started_later and processes.runs(process.pid) else None

    def _initialize(self) -> None:
        """``initdb`` beside the final place, then rename: a start that was killed half-way begins again."""
        password = secrets.token_hex(24)
        unfinished = self.folder.with_name(f"{FOLDER}.new")
        remove_service_folder(unfinished.parent, unfinished.name)
        owned_folder(unfinished, self._user)
        password_file = unfinished.with_name(f"{FOLDER}.password")
        password_file.unlink(missing_ok=True)
        password_file.touch(mode=0o600)
        password_file.write_text(password)
        if self._user.is_other:
            os.chown(password_file, self._user.uid, self._user.gid)
        command = [self._binary("initdb"), f"--pgdata={unfinished}", f"--username={ADMIN}", f"--pwfile={password_file}"]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += ["--locale=C", "--no-instructions", "--data-checksums"]
        command += [] if self._durable else ["--no-sync"]
        try:
            done = subprocess.run(
                command,
                cwd=unfinished,
                env={"PATH": os.defpath, "TZ": "UTC"},
                capture_output=True,
                text=True,
                check=False,
                **self._user.popen_arguments(),  # type: ignore[call-overload]
            )
        finally:
            password_file.unlink(missing_ok=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise EmbeddedError(f"PostgreSQL could not create its data in {self.folder}: {last}")
        self._notes.update(**{f"password_{ADMIN}": password, "postgres_prepared": "no"})
        try:
            unfinished.rename(self.folder)  # over the empty folder
        except OSError as error:
            raise EmbeddedError(
                f"{self.folder} holds files but no PostgreSQL {POSTGRES_MAJOR} cluster ({error.strerror}): move it away."
            ) from None

    def _reset_password(self) -> None:
        """``services.json`` was lost: single-user mode needs no password, only the data's owner."""
        password = secrets.token_hex(24)
        subprocess.run(
            [self._binary("postgres"), "--single", "-D", str(self.folder), "postgres"],
            input=f"ALTER ROLE {ADMIN} PASSWORD '{password}'\n",
            cwd=self.folder,
            text=True,
            check=True,
            capture_output=True,
            **self._user.popen_arguments(),  # type: ignore[call-overload]
        )
        self._notes.update(**{f"password_{ADMIN}": password, "postgres_prepared": "no"})

    def _launch(self) -> None:
        settings = SETTINGS | ({} if self._durable else FAST_SETTINGS) | {"unix_socket_directories": str(self._sockets)}
        command = [self._binary("postgres"), "-D", str(self.folder)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self._child = processes.launch_server(
            command, folder=self.folder, log=self._log, user=self._user, death_signal=signal.SIGINT
        )

    def _wait_until_answering(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not (self._socket.exists() and self.answers()):
            if self.has_exited() or time.monotonic() > deadline:
                raise EmbeddedError(f"PostgreSQL did not start: {self._last_log_line()} (all of it: {self._log})")
            time.sleep(0.02)

    def _last_log_line(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        telling = [line for line in lines[-20:] if "FATAL" in line or "PANIC" in line]
        return (telling or lines or ["it wrote nothing"])[-1]

    def _prepare(self) -> None:
        """Roles, grants, extension, database. Every step may be repeated: a killed first start begins again here."""
        passwords = {role: secrets.token_hex(24) for role in (OWNER, APP)}
        create_databases = sql.SQL("NOCREATEDB" if self._durable else "CREATEDB")
        with psycopg.connect(self.url(ADMIN, "template1"), autocommit=True) as connection:
            for role, password in passwords.items():
                if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                    connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
                connection.execute(
                    sql.SQL("ALTER ROLE {} LOGIN NOSUPERUSER NOCREATEROLE {} PASSWORD {}").format(
                        sql.Identifier(role),
                        create_databases if role == OWNER else sql.SQL("NOCREATEDB"),
                        sql.Literal(password),
                    )
                )
            for statement in PREPARE_TEMPLATE:
                connection.execute(statement)
        with psycopg.connect(self.url(ADMIN, "postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER))
                )
        self._notes.update(
            **{f"password_{role}": password for role, password in passwords.items()}, postgres_prepared="yes"
        )
