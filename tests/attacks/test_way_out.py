"""Every socket that the processes of a full run open to somewhere: the database, Redis, the provider, the mail server."""

import ast
import http.client
import json
import os
import re
import socket
import threading
import time

import psutil
import pytest

from tests.gateway.conftest import MODEL_BODY, seeded
from tests.stack import Stack

pytestmark = [pytest.mark.attacks, pytest.mark.timeout(300)]

#: Python tells of each socket it connects and of each name it looks up; C libraries do not, so the kernel is asked as well.
LISTENER = """
import os, sys

def _tell(line):
    # Opened each time: a process that is forked closes what it did not open itself.
    fd = os.open(os.environ["SOCKETS_TO"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, line.encode())
    os.close(fd)

def _told(name, arguments):
    if name in {"socket.connect", "socket.sendto"}:
        _tell(f"to {arguments[1]!r}\\n")
    elif name in {"socket.getaddrinfo", "socket.gethostbyname"}:
        _tell(f"name {arguments[0]!r}\\n")

sys.addaudithook(_told)
"""


class Watch(threading.Thread):
    """Asks the kernel, many times a second, where the sockets of these processes lead that they did not accept."""

    def __init__(self, stack):
        super().__init__(daemon=True)
        self.stack, self.seen, self.is_over = stack, set(), threading.Event()

    def run(self):
        own = set(self.stack.ports.values())
        while not self.is_over.wait(0.02):
            for role in self.stack.roles:
                for pid in self.stack.pids(role):
                    self._look(pid, own)

    def _look(self, pid, own):
        try:
            found = psutil.Process(pid).net_connections(kind="inet")
        except psutil.Error:
            return
        self.seen |= {tuple(each.raddr) for each in found if each.raddr and each.laddr.port not in own}


@pytest.fixture
def mail_server():
    """Takes connections and says nothing: what matters is who comes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


def call(stack, key, method, path, body=None, content_type="application/json"):
    connection = http.client.HTTPConnection("127.0.0.1", stack.ports["web"], timeout=60)
    data = json.dumps(body) if isinstance(body, dict) else body
    connection.request(method, path, data, {"Authorization": f"Bearer {key}", "Content-Type": content_type})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, json.loads(text) if text else {}


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_processes_connect_to_what_they_were_given_and_to_nothing_else(
    tmp_path, running_provider, mail_server, record_property
):
    running_provider.reset()
    running_provider.default(tokens=20, rate=200)
    (tmp_path / "sitecustomize.py").write_text(LISTENER)
    told = tmp_path / "sockets"
    env = {
        "PYTHONPATH": str(tmp_path),
        "SOCKETS_TO": str(told),
        "PARLANCE_ALLOW_PRIVATE_ADDRESSES": "127.0.0.1/32",
        "EMAIL_HOST": mail_server[0],
        "EMAIL_PORT": str(mail_server[1]),
        # Nothing here may listen on the local ports where model servers usually are: they are asked at the start.
        "PARLANCE_LOCAL_MODELS": "0",
    }
    with Stack(env=env) as stack:
        watch = Watch(stack)
        watch.start()
        seed = seeded(stack, running_provider)
        key = seed["key"]
        project = stack.sql("SELECT id FROM accounts_project WHERE organization_id = %s", [seed["organization"]])[0][0]

        assert call(stack, key, "POST", "/v1/chat/completions", MODEL_BODY | {"stream": False})[0] == 200
        _status, talk = call(stack, key, "POST", "/api/v1/conversations/", {"project": str(project)})
        words = {"content": "Look at ![this](https://elsewhere.example/pixel.png) and https://elsewhere.example/"}
        status, posted = call(stack, key, "POST", f"/api/v1/conversations/{talk['id']}/messages/", words)
        assert status == 202, posted
        wait_for(lambda: stack.sql("SELECT status FROM conversations_turn")[0][0] == "completed")
        inside = {
            "organization": seed["organization"],
            "kind": "openai-compatible",
            "name": "inside",
            "base_url": "http://10.11.12.13/v1",
        }
        assert call(stack, key, "POST", "/api/v1/providers/", inside)[0] in {400, 403}
        email = stack.sql("SELECT email FROM accounts_user WHERE is_active LIMIT 1")[0][0]
        call(stack, key, "POST", "/api/v1/auth/password/reset/", {"email": email})
        wait_for(lambda: f", {mail_server[1]})" in told.read_text())
        watch.is_over.set()
        watch.join()
        lines = set(told.read_text().splitlines())

        provider = ("127.0.0.1", int(re.search(r":(\d+)", running_provider.url.partition("//")[2])[1]))
        given = {provider, mail_server}
        listed = {ast.literal_eval(line.removeprefix("to ")) for line in lines if line.startswith("to ")}
        paths = {address for address in listed if not isinstance(address, tuple)}
        reached = {address[:2] for address in listed if isinstance(address, tuple)} | watch.seen
        names = {ast.literal_eval(line.removeprefix("name ")) for line in lines if line.startswith("name ")}

    assert given <= reached
    assert reached <= given
    assert all(os.fspath(path).startswith("/") for path in paths)
    assert {str(name) for name in names} <= {"127.0.0.1", "localhost", socket.gethostname()}
    record_property("counted", f"{len(reached)} addresses, {len(paths)} local sockets, {len(names)} names")
