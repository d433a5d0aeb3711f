"""``python -m benchmarks.tenants``: two organizations that share one provider, and ten urgent items behind ten thousand.

The real kind *Run a prompt over records*, the scripted model server (0.1 s to its first token, 50 tokens/s, so that it is the provider that is
saturated), own durable PostgreSQL, one process each of web, interactive and jobs. Everything is read from the rows of the items, by the database's clock.

Prints what it found. ``--records 10000`` is what is promised; it takes about three minutes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

from benchmarks.bulk import shell
from tests.stack import Stack

SEED = """
import json
from apps.core.ids import uuid7
from apps.extraction import services
from apps.extraction.models import Record
from apps.llm.models import Model, ModelDefaults, Provider, ProviderSource
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of
made = []
for count in {counts}:
    owner = UserFactory()
    project = ProjectFactory(owner=owner)
    provider = Provider.objects.create(organization=project.organization, kind="openai-compatible", name="stub", base_url={url!r},
        api_key="sk-seeded", source=ProviderSource.ENVIRONMENT)
    model = Model.objects.create(organization=project.organization, provider=provider, name="stub-small")
    ModelDefaults.objects.update_or_create(organization=project.organization, defaults={{"default": model}})
    collection = services.create_collection(actor=actor_of(owner), project_id=project.pk, name="Ships", title_template="{{name}}",
        document={{"type": "object", "properties": {{"name": {{"type": "string"}}, "about": {{"type": "string"}}}}}}, unique_keys=[])
    for start in range(0, count, 2000):
        Record.objects.bulk_create([Record(id=uuid7(), organization_id=project.organization_id, collection=collection,
            project_id=project.pk, schema_number=1, title=f"Ship {{n}}", data={{"name": f"Ship {{n}}"}}, is_complete=True,
            text=f"ship {{n}}", shape_number=1) for n in range(start, min(start + 2000, count))])
    made.append({{"user": str(owner.pk), "project": str(project.pk), "collection": str(collection.pk)}})
print(json.dumps(made))
"""

BEGIN = """
import json
from uuid import UUID
from apps.accounts.actors import actor_of_row
from apps.bulk import engine, services
actor = actor_of_row(user_id=UUID({user!r}))
params = {{"collection": {collection!r}, "prompt": "Say one sentence about {{name}}."}}
if {only}:
    from apps.extraction.models import Record
    params["ids"] = [str(pk) for pk in Record.objects.filter(collection={collection!r}).order_by("pk")[:{only}].values_list("pk", flat=True)]
operation = services.create_operation(actor=actor, project_id=UUID({project!r}), kind="records.prompt", params=params,
    priority={priority}, start=False)
engine.plan_operation(operation_id=operation.pk)
services.start_operation(actor=actor, operation_id=operation.pk)
print(json.dumps(str(operation.pk)))
"""

COUNTS = "SELECT status, total, pending, running, total - pending - running FROM bulk_operation WHERE id = %s"
FIRST = """SELECT extract(epoch FROM min(i.started_at) - o.started_at) FROM bulk_item i JOIN bulk_operation o ON o.id = i.operation_id
  WHERE o.id = %s GROUP BY o.id"""
TOOK = "SELECT extract(epoch FROM finished_at - started_at) FROM bulk_operation WHERE id = %s"
BEGUN_SINCE = """SELECT count(*) FROM bulk_item WHERE operation_id = %s
  AND started_at BETWEEN (SELECT started_at FROM bulk_operation WHERE id = %s) AND (SELECT finished_at FROM bulk_operation WHERE id = %s)"""


class Team:
    """Somebody's collection, and the operations over it."""

    def __init__(self, stack: Stack, who: dict[str, str]) -> None:
        self.stack, self.who = stack, who

    def begin(self, *, only: int = 0, priority: int = 2) -> str:
        return shell(self.stack, BEGIN.format(**self.who, only=only, priority=priority))


def done(stack: Stack, operation: str) -> int:
    return stack.sql(COUNTS, [operation])[0][4]


def until(seconds: float, condition: Any) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.1)


def measured(stack: Stack, first: Team, second: Team, *, ten: int, seconds: float) -> dict[str, Any]:
    many = first.begin()
    until(60, lambda: done(stack, many) >= 50)

    few = second.begin(only=ten)
    until(120, lambda: stack.sql(COUNTS, [few])[0][0] == "completed")
    found: dict[str, Any] = {"first_item_of_ten_seconds": float(stack.sql(FIRST, [few])[0][0])}
    found["ten_took_seconds"] = float(stack.sql(TOOK, [few])[0][0])

    other = second.begin()
    until(60, lambda: done(stack, other) >= 20)
    before = done(stack, many), done(stack, other)
    time.sleep(seconds)
    mine, theirs = (after - was for after, was in zip((done(stack, many), done(stack, other)), before, strict=True))
    found |= {"both_items_per_second": (mine + theirs) / seconds, "share_of_the_second": theirs / (mine + theirs)}

    urgent = first.begin(only=ten, priority=1)
    until(120, lambda: stack.sql(COUNTS, [urgent])[0][0] == "completed")
    found["urgent_took_seconds"] = float(stack.sql(TOOK, [urgent])[0][0])
    found["of_the_many_begun_meanwhile"] = stack.sql(BEGUN_SINCE, [many, urgent, urgent])[0][0]
    found["of_the_many_left"] = stack.sql(COUNTS, [many])[0][2]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=40, help="how long both are counted side by side")
    given = parser.parse_args()
    provider = subprocess.Popen(
        [sys.executable, "-m", "tests.provider", "--port", "0", "--delay", "0.1", "--rate", "50"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert provider.stdout is not None
    port = int(provider.stdout.readline().rsplit(":", 1)[1])
    env = {"PARLANCE_LIMITS": "0", "PARLANCE_ALLOW_PRIVATE_ADDRESSES": "127.0.0.1"}
    try:
        with Stack(own_services=True, durable=True, webs=1, env=env) as stack:
            made = shell(stack, SEED.format(counts=[given.records] * 2, url=f"http://127.0.0.1:{port}/v1"))
            first, second = (Team(stack, each) for each in made)
            print(json.dumps(measured(stack, first, second, ten=10, seconds=given.seconds), indent=1))
    finally:
        provider.terminate()
        provider.wait(5)


if __name__ == "__main__":
    main()
