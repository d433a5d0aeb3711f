"""Definitions and runs made through the services, walked by the engine in this process."""

import os
import signal

from django.db import connections
from django.db.models.functions import Now

from apps.accounts.types import SYSTEM
from apps.core import failpoints
from apps.core.correlation import caused_by
from apps.core.doors.consumers import LoggedEvent
from apps.core.failpoints import Failpoints
from apps.core.models import Event
from apps.workflows import engine, receivers, selectors, services
from apps.workflows.models import Run, Step


def document(do, *, name="sample", **more):
    said = {"dsl": "1.0.3", "namespace": "tests", "name": name, "version": "1.0.0", "title": "Sample"}
    return {"document": said, "do": do, **more}


def stage(title, *, requires=(), **more):
    found = {"title": title, **more}
    if requires:
        found["requires"] = list(requires)
    return {"metadata": {"parlance": {"stage": found}}}


def defined(actor, project, do, *, name="sample", **more):
    return services.create_definition(actor=actor, project_id=project.pk, document=document(do, name=name, **more))


def begun(actor, project, do, data=None, *, name="sample", **more):
    """A run that no worker has seen yet."""
    definition = defined(actor, project, do, name=name, **more)
    return services.start_run(actor=actor, definition_id=definition.pk, data=data)


def ran(actor, project, do, data=None, *, name="sample", **more):
    """A run as far as it comes."""
    return walked(begun(actor, project, do, data, name=name, **more))


def killed(run, place):
    """A process of its own takes the run and is killed where it commits something for this many times. Whether it came so far.

    The lease that it leaves has lapsed.
    """
    connections.close_all()  # nobody shares a socket
    pid = os.fork()
    if pid == 0:
        try:
            failpoints.hit = Failpoints(f"before_commit=kill@{place}").hit
            engine.go_on(run.pk)
        finally:
            os._exit(0)
    _pid, status = os.waitpid(pid, 0)
    Run.objects.filter(pk=run.pk, status="running").update(lease_until=Now())
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def walked(run):
    """The run and those that it waits for, as far as they come now."""
    tell()
    for _round in range(20):
        due = list(Run.objects.filter(status="queued").values_list("pk", flat=True))
        if not due:
            break
        for pk in due:
            engine.go_on(pk)
        tell()
    return fresh(run)


def tell(told=[0]):  # noqa: B006  (what was told in this process is not told again)
    """What happened, to the runs, as the log's consumer does."""
    for row in Event.objects.filter(insertion__gt=told[0], is_refusal=False).order_by("insertion"):
        told[0] = row.insertion
        with caused_by(row.correlation_id, causation_id=row.pk, depth=row.depth + 1):
            for event in receivers.heard([logged(row)]):
                receivers.hear(event)
            for event in receivers.heard_by_starts([logged(row)]):
                receivers.hear_starts(event)


def logged(row):
    return LoggedEvent(
        row.pk, row.insertion, row.topic, row.topic_position, row.organization_id, row.project_id, row.type,
        row.version, row.actor_kind, row.actor_id, row.actor_key_id, row.subject_type, row.subject_id, row.payload,
        row.is_refusal, row.correlation_id, row.causation_id, row.depth, row.occurred_at,
    )  # fmt: skip


def fresh(run):
    return selectors.get_run(run_id=run.pk, viewer=SYSTEM)


def steps(run):
    """(path, status) of what is no history, in order."""
    rows = selectors.list_steps(run, with_history=False).order_by("number")
    return [(step.path, step.status) for step in rows]


def step(run, path):
    return Step.objects.filter(run=run, path=path).order_by("-number").first()
