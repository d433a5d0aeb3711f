"""The behaviour that the specification's conformance kit asks about, in its own language (README.md)."""

import base64
import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from apps.core.yaml_text import read
from apps.workflows import services
from apps.workflows.models import Run, Step
from tests.workflows.factories import walked

pytestmark = pytest.mark.django_db
FEATURES = Path(__file__).parent / "features"
HOSTS = ("https://petstore.swagger.io", "https://httpbin.org")


class Stub(BaseHTTPRequestHandler):
    """What the named hosts would say."""

    def do_GET(self):
        path, _question, query = self.path.partition("?")
        parts = path.strip("/").split("/")
        if parts[0] == "basic-auth":
            pair = base64.b64encode(":".join(parts[1:3]).encode()).decode()
            is_known = self.headers.get("Authorization") == f"Basic {pair}"
            self.say(200 if is_known else 401, {"authenticated": is_known, "user": parts[1]})
        elif parts[-1] == "findByStatus":
            status = query.removeprefix("status=")
            self.say(200, [{"id": number, "name": f"Pet {number}", "status": status} for number in (1, 2)])
        elif parts[-1].isdigit():
            self.say(200, {"id": int(parts[-1]), "name": f"Pet {parts[-1]}", "status": "available"})
        else:
            self.say(404, {"message": "No such pet"})

    def say(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def host(settings):
    settings.PARLANCE_ALLOW_PRIVATE_ADDRESSES = ["127.0.0.1"]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join(5)
    server.server_close()


@pytest.fixture
def told():
    """What the steps of one scenario tell each other."""
    return {"input": None}


@given("a workflow with definition:")
def define(told, host, docstring):
    for name in HOSTS:
        docstring = docstring.replace(name, host)
    told["document"] = read(re.sub(r"dsl: '?1\.0\.0-alpha\d+'?", "dsl: '1.0.3'", docstring))


@given("given the workflow input is:")
def give(told, docstring):
    told["input"] = read(docstring)


@when("the workflow is executed")
def execute(told, actor, project):
    made = services.create_definition(actor=actor, project_id=project.pk, document=told["document"])
    run = services.start_run(actor=actor, definition_id=made.pk, data=told["input"])
    for _round in range(20):
        run = walked(run)
        if run.status != "waiting":
            break
        Run.objects.filter(pk=run.pk).update(status="queued")
    told["run"] = run


@then("the workflow should complete")
def completed(told):
    assert (told["run"].status, told["run"].error) == ("completed", {})


@then("the workflow should complete with output:")
def completed_with(told, docstring):
    assert (told["run"].status, told["run"].output) == ("completed", read(docstring))


@then("the workflow should cancel")
def cancelled(told):
    assert told["run"].status == "cancelled"


@then("the workflow should fault")
def failed(told):
    assert told["run"].status == "failed"


@then("the workflow should fault with error:")
def failed_with(told, docstring):
    assert told["run"].status == "failed"
    assert {name: told["run"].error.get(name) for name in read(docstring)} == read(docstring)


def at(value, path):
    for name in path.split("."):
        value = value[name]
    return value


@then(parsers.re(r"the workflow output should have properties (?P<names>'.+')"))
def has_properties(told, names):
    for path in re.findall(r"'([^']+)'", names):
        at(told["run"].output, path)


@then(parsers.parse("the workflow output should have a '{path}' property with value:"))
def has_value(told, path, docstring):
    assert at(told["run"].output, path) == read(docstring)


@then(parsers.parse("the workflow output should have a '{path}' property containing {count:d} items"))
def has_items(told, path, count):
    assert len(at(told["run"].output, path)) == count


def order(told):
    """Tasks by their names, in the order in which they came first."""
    rows = Step.objects.filter(run=told["run"]).exclude(status="skipped").order_by("number")
    return list(dict.fromkeys(path.rpartition("/")[2] for path in rows.values_list("path", flat=True)))


def step_of(told, name):
    return Step.objects.filter(run=told["run"], path__regex=rf"(^|/){re.escape(name)}$").latest("number")


@then(parsers.re(r"(?P<name>\w+) should run first"))
def ran_first(told, name):
    assert order(told)[0] == name


@then(parsers.re(r"(?P<name>\w+) should run last"))
def ran_last(told, name):
    assert order(told)[-1] == name


@then(parsers.re(r"(?P<name>\w+) should run before (?P<other>\w+)"))
def ran_before(told, name, other):
    assert order(told).index(name) < order(told).index(other)


@then(parsers.re(r"(?P<name>\w+) should run after (?P<other>\w+)"))
def ran_after(told, name, other):
    assert order(told).index(name) > order(told).index(other)


@then(parsers.re(r"(?P<name>(?!the workflow)\w+) should (?P<end>complete|cancel|fault)"))
def task_ended(told, name, end):
    status = {"complete": "completed", "cancel": "cancelled", "fault": "failed"}[end]
    assert step_of(told, name).status == status


@then(parsers.re(r"(?P<name>(?!the workflow)\w+) should complete with output:"))
def task_gave(told, name, docstring):
    step = step_of(told, name)
    assert (step.status, step.output) == ("completed", read(docstring))


@then(parsers.re(r"(?P<name>(?!the workflow)\w+) should fault with error:"))
def task_failed_with(told, name, docstring):
    step = step_of(told, name)
    assert step.status == "failed"
    assert {key: step.error.get(key) for key in read(docstring)} == read(docstring)


scenarios(str(FEATURES))
if published := os.environ.get("PARLANCE_CTK"):
    scenarios(published)
