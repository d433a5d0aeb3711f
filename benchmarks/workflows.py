"""``python -m benchmarks.workflows``: durable steps a second, in one process bound to one core beside a durable PostgreSQL.

A loop of ``set`` tasks that hand on what they got (no expression to ask jq for), one with an expression each, and one that writes a record in
each step; where the time goes is read from the process's own clocks. Prints what belongs into docs/results/.
"""

from __future__ import annotations

import json

from benchmarks.bulk import shell
from tests.stack import Stack

CODE = """
import json, os, time
from apps.extraction import services as records
from apps.workflows import engine, expressions, services
from apps.workflows.models import Run, Step
from apps.workflows.services import steps
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of
from tests.extraction.factories import people
from tests.workflows.factories import document
owner = UserFactory()
project = ProjectFactory(owner=owner)
actor = actor_of(owner)
people(actor, project)
os.sched_setaffinity(0, {0})
engine.RUN_SECONDS = 3600
spent = {}
def timed(module, name):
    plain = getattr(module, name)
    def call(*args, **kwargs):
        began = time.perf_counter()
        try:
            return plain(*args, **kwargs)
        finally:
            spent[name] = spent.get(name, 0) + time.perf_counter() - began
    setattr(module, name, call)
timed(steps, "_execute")
timed(expressions._evaluator, "ask")
def measure(name, task, count):
    body = {"for": {"each": "n", "in": "${ [range(" + str(count) + ")] }"}, "do": [{"one": task}]}
    made = services.create_definition(actor=actor, project_id=project.pk, document=document([{"all": body}], name=name))
    run = services.start_run(actor=actor, definition_id=made.pk)
    spent.clear()
    began, busy = time.perf_counter(), time.process_time()
    engine.go_on(run.pk)
    took, busy = time.perf_counter() - began, time.process_time() - busy
    assert Run.objects.get(pk=run.pk).status == "completed", Run.objects.get(pk=run.pk).error
    many = Step.objects.filter(run=run).count()
    each = {key: round(value / many * 1000, 3) for key, value in spent.items()}
    return {"steps": many, "per_second": round(many / took, 1), "ms_a_step": round(took / many * 1000, 3),
        "own_processor_ms": round(busy / many * 1000, 3), "ms_in": each}
measure("warm", {"set": "${ . }"}, 200)
print(json.dumps({
    "plain": measure("plain", {"set": "${ . }"}, 1000),
    "expression": measure("expression", {"set": {"n": "${ $n + 1 }"}}, 1000),
    "record": measure("record", {"call": "records.create", "with": {"collection": "people", "data": {"name": "${ \\"p\\\\($n)\\" }"},
        "on_duplicate": "new"}}, 300),
}))
"""


def main() -> None:
    with Stack(own_services=True, durable=True, webs=0, interactives=0, jobs=0, env={"PARLANCE_LIMITS": "0"}) as stack:
        print(json.dumps(shell(stack, CODE), indent=1))


if __name__ == "__main__":
    main()
