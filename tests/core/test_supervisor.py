from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from apps.core.embedded import processes
from apps.core.embedded.services import DataFolderLock, Services
from apps.core.supervisor import nursery
from apps.core.supervisor.children import BACK_OFF_SECONDS, Child
from apps.core.supervisor.leftovers import RunRecord
from apps.core.supervisor.nursery import Role
from config import env

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 240.0  # the first start migrates: a minute of processor time, of which others take their share

pytestmark = pytest.mark.timeout(900)  # whole starts and stops, on a machine that other test processes share


class Up:
    """`manage.py up` as a person starts it."""

    def __init__(self, data: Path, **environment: str) -> None:
        self.port = free_port()
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("PARLANCE_", "DATABASE_"))
        }
        inherited.pop("REDIS_URL", None)
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            env={**inherited, "PARLANCE_DATA_DIR": str(data), "PARLANCE_PORT": str(self.port), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                self.lines.append(line.rstrip("\n"))

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def wait_ready(self) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, self.output
            return "Parlance is ready" in self.output

        assert processes.wait_until(ready, seconds=READY_SECONDS), self.output

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def find(self, pattern: str) -> psutil.Process:
        """The direct child whose line in the process list matches."""
        seen = []
        for child in psutil.Process(self.process.pid).children():
            try:
                seen.append(" ".join(child.cmdline()))
            except psutil.NoSuchProcess:  # ended, also as a zombie, since the list was made
                continue
            if re.search(pattern, seen[-1]):
                return child
        raise AssertionError(f"no process matches {pattern}: {seen}")

    def status(self, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def end(self, number: int = signal.SIGINT) -> float:
        """Seconds until it had stopped."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(60)
        self._reader.join(10)
        return time.monotonic() - began


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def data() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="parlance-up-") as name:
        place = Path(name)
        place.chmod(0o711)
        yield place / "var"
        if (place / "var").exists():
            Services(place / "var").remove()


def test_up_starts_watches_repairs_and_stops_everything(data):
    first = Up(data)
    first.wait_ready()

    assert f"Parlance is ready: http://localhost:{first.port}" in first.output
    assert sum("Parlance is ready" in line for line in first.lines) == 1
    assert first.status("/healthz") == 200
    assert env.running_address(data) == (f"http://localhost:{first.port}", first.port)
    link = re.search(rf"sign in once with (http://localhost:{first.port}(/\S+))$", first.output, re.MULTILINE)
    assert link, first.output
    assert first.status(link[2]) == 200
    interactive = first.find(r"celery.*worker.*interactive")
    first.find(r"celery.*worker.*jobs")
    first.find(r"postgres")

    interactive.kill()

    assert processes.wait_until(lambda: restarted(first, interactive.pid), seconds=60), first.output
    assert "interactive ended (signal 9); starting it again." in first.output

    database = first.find(r"postgres")
    database.kill()

    assert processes.wait_until(lambda: "postgres ended; starting it again." in first.output, seconds=30)
    assert processes.wait_until(lambda: first.status("/readyz") == 200, seconds=60), first.output

    second = Up(data)
    second.process.wait(30)

    assert second.process.returncode == 1
    assert second.output.startswith(f"Parlance already runs on {data} (process {first.process.pid}): stop it first")

    family = first.family()
    seconds = first.end(signal.SIGINT)

    assert first.process.returncode == 0
    assert env.running_address(data) == ("", 0)
    assert seconds < 30
    assert [process for process in family if processes.runs(process.pid)] == []

    again = Up(data)
    again.wait_ready()
    family = again.family()
    again.end(signal.SIGKILL)
    third = Up(data)
    third.wait_ready()

    assert [process for process in family if processes.runs(process.pid)] == []
    assert third.status("/healthz") == 200
    third.end(signal.SIGTERM)
    assert third.process.returncode == 0

    (data / "keys.json").rename(data / "keys.elsewhere")
    fourth = Up(data)
    assert processes.wait_until(lambda: "Parlance is not ready" in fourth.output, seconds=60), fourth.output
    assert f"The keys in {data / 'keys.json'} do not open what this database holds. Put back" in fourth.output
    assert (fourth.status("/healthz"), fourth.status("/readyz")) == (200, 503)
    (data / "keys.elsewhere").rename(data / "keys.json")
    assert processes.wait_until(lambda: fourth.status("/readyz") == 200, seconds=30), fourth.output
    fourth.end(signal.SIGINT)


def command_of(child: psutil.Process) -> str:
    try:
        return " ".join(child.cmdline())
    except psutil.NoSuchProcess:  # ended, also as a zombie, since the list was made
        return ""


def restarted(up: Up, old_pid: int) -> bool:
    found = [child for child in up.family() if "interactive" in command_of(child)]
    return any(child.pid != old_pid for child in found)


def test_up_with_a_taken_port_says_so_in_one_sentence(data):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        up = Up(data, PARLANCE_PORT=str(port))
        up.process.wait(30)
        up._reader.join(10)

    assert up.process.returncode == 1
    assert up.output == (
        f"Port {port} on 127.0.0.1 cannot be used (Address already in use): choose another one with PARLANCE_PORT."
    )


def test_up_with_a_nonsense_port_says_so_in_one_sentence(data):
    up = Up(data, PARLANCE_PORT="eighty")
    up.process.wait(30)
    up._reader.join(10)

    assert up.process.returncode == 1
    assert up.output == "PARLANCE_PORT is 'eighty'. Use a whole number."


def test_up_with_an_unreachable_database_says_so_in_one_sentence(data):
    up = Up(data, DATABASE_URL=f"postgresql://nobody@127.0.0.1:{free_port()}/parlance")
    up.process.wait(60)
    up._reader.join(10)

    assert up.process.returncode == 1
    assert "The database does not answer (DATABASE_URL, DATABASE_OWNER_URL)" in up.lines[0]
    assert not (data / "pg18").exists()


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """Children as fresh interpreters that run a module made for the test: pytest itself has threads, which forbid a fork."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def make(source: str) -> Child:
        (tmp_path / "made_for_a_test.py").write_text(source)
        return Child(Role("web", "made_for_a_test"), environment=os.environ, begin=nursery.spawn)

    return make


def test_crashing_child_is_started_again_with_growing_pauses(fresh):
    child = fresh("raise SystemExit(3)")
    pauses = []
    for _ in range(3):
        assert processes.wait_until(child.start_when_due, seconds=30)
        assert processes.wait_until(lambda: not child.is_running, seconds=30)
        assert child.crashed() is None  # its output was not read to the end
        assert child.read_lines() == []
        ended = time.monotonic()

        assert child.crashed() == 3

        assert not child.start_when_due()
        pauses.append(child._restart_at - ended)

    assert [round(pause, 1) for pause in pauses] == list(BACK_OFF_SECONDS[:3])


def test_child_output_is_read_in_whole_lines(fresh):
    child = fresh("import sys; print('one'); sys.stdout.write('two'); sys.stdout.flush()")
    child.start_when_due()
    lines: list[str] = []

    def finished() -> bool:
        lines.extend(child.read_lines())
        return child.output is None

    assert processes.wait_until(finished, seconds=30)
    assert lines == ["one", "two"]
    child.kill()


def test_fork_with_a_thread_running_is_refused():
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()

    with pytest.raises(RuntimeError, match="no import may start one"):
        nursery.fork(Role("web", "this"), os.environ)

    stop.set()
    thread.join()


LOADED = """
import gc, os, sys, threading
from apps.core.supervisor import nursery
before = set(os.listdir("/proc/self/fd"))
nursery.preload("daphne")
assert threading.active_count() == 1, threading.enumerate()
assert set(os.listdir("/proc/self/fd")) == before
assert {"openai", "daphne.ws_protocol", "celery.worker.consumer", "apps.conversations.tasks"} <= set(sys.modules)
assert not {"twisted.internet.reactor", "prompt_toolkit", "anthropic", "markitdown"} & set(sys.modules)
assert gc.get_freeze_count() > 100_000 and gc.isenabled()
"""


@pytest.mark.skipif(not nursery.CAN_FORK, reason="only where the supervisor forks is anything loaded before")
def test_what_is_loaded_before_the_forks_starts_no_thread_and_opens_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LOADED],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "PARLANCE_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_recorded_process_of_a_killed_run_is_ended_with_its_session(tmp_path):
    script = (
        "import subprocess, sys, time; subprocess.Popen(['sleep', '100']); print('up', flush=True); time.sleep(100)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True) as leader:
        assert leader.stdout.read(2) == b"up"
        RunRecord(tmp_path).write([leader.pid])
        children = psutil.Process(leader.pid).children()
        leader.kill()
        leader.wait()

        assert RunRecord(tmp_path).end_leftovers() == 1

        assert not any(processes.runs(child.pid) for child in children)


@pytest.mark.parametrize(
    ("runs", "environment", "url"),
    [
        (True, {}, "https://talk.example:8010"),
        (True, {"PARLANCE_URL": "http://here.example"}, "http://here.example"),
        (True, {"PARLANCE_PORT": "8020"}, "http://localhost:8020"),
        (False, {}, "http://localhost:8000"),  # killed: its record is still there
    ],
)
def test_links_of_other_commands_lead_to_the_server_that_runs(tmp_path, runs, environment, url):
    lock = DataFolderLock(tmp_path)
    lock.acquire()
    if not runs:
        lock.release()
    RunRecord(tmp_path, url="https://talk.example:8010", port=8010).write([])
    said = subprocess.run(
        [sys.executable, "-c", "from config import settings; print(settings.PARLANCE_URL)"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PARLANCE_DATA_DIR": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        check=True,
    )

    lock.release()
    assert said.stdout.strip() == url


def test_record_of_an_earlier_version_is_read(tmp_path):
    with subprocess.Popen(["sleep", "100"], start_new_session=True) as left:
        entry = {"pid": left.pid, "started": psutil.Process(left.pid).create_time()}
        (tmp_path / "run.json").write_text(json.dumps([entry]))

        assert RunRecord(tmp_path).end_leftovers() == 1


def test_recorded_number_that_belongs_to_another_program_is_left_alone(tmp_path):
    with subprocess.Popen(["sleep", "100"], start_new_session=True) as stranger:
        RunRecord(tmp_path).write([stranger.pid])
        record = (tmp_path / "run.json").read_text()
        (tmp_path / "run.json").write_text(re.sub(r'"started": [\d.]+', '"started": 12.5', record))

        assert RunRecord(tmp_path).end_leftovers() == 0

        assert stranger.poll() is None
        stranger.kill()


def test_compiled_code_is_kept_with_the_data_where_none_may_lie_beside_the_code(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from apps.core.supervisor import up;"
        "up._keep_bytecode(Path(sys.argv[1])); import apps.core.ids;"
        "print(os.environ.get('PYTHONDONTWRITEBYTECODE'), os.environ['PYTHONPYCACHEPREFIX'])"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPYCACHEPREFIX"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"

    said = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert said.split() == ["None", str(tmp_path)]
    assert [path.name for path in tmp_path.rglob("ids.*.pyc")]
