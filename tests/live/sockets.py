"""A web process with rooms in it, people with cookies and keys, and what happens in rooms, told from outside."""

import json
from dataclasses import dataclass

from tests.stack import Stack

PEOPLE = """
import json
from django.conf import settings
from django.test import Client
from tests.accounts.factories import OrganizationFactory, UserFactory, join, key_of
organization = OrganizationFactory(slug="{mark}")
people = []
for number in range({count}):
    user = UserFactory(email=f"{mark}{{number}}@example.org", name=f"Person {{number}}")
    join(user, organization)
    client = Client()
    client.force_login(user)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    people.append(dict(id=str(user.pk), name=user.name, cookie=f"{{cookie.key}}={{cookie.value}}", key=key_of(user, organization)))
print("PEOPLE=" + json.dumps(people))
"""

CHANGE = """
WITH topic AS (
  INSERT INTO core_topic (name, position) VALUES (%(topic)s, 1)
  ON CONFLICT (name) DO UPDATE SET position = core_topic.position + 1 RETURNING position
)
INSERT INTO core_event (id, topic, topic_position, type, version, actor_kind, subject_type, payload, is_refusal,
  correlation_id, depth)
SELECT gen_random_uuid(), %(topic)s, topic.position, 'tests.room_changed', 1, 'system', '',
  jsonb_build_object('number', %(number)s::int), false, '', 0 FROM topic
"""


@dataclass(frozen=True)
class Person:
    id: str
    name: str
    cookie: str
    key: str

    @property
    def by_cookie(self) -> dict[str, str]:
        return {"Cookie": self.cookie}

    @property
    def by_key(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


def rooms_stack(**kwargs) -> Stack:
    env = {"PARLANCE_EXTRA_APPS": "tests.live.roomapp", **kwargs.pop("env", {})}
    return Stack(interactives=0, jobs=0, env=env, **kwargs)


def make_people(stack: Stack, count: int, mark: str = "p") -> list[Person]:
    out = stack.manage("shell", "--no-imports", "-c", PEOPLE.format(count=count, mark=mark))
    line = next(line for line in out.splitlines() if line.startswith("PEOPLE="))
    return [Person(**person) for person in json.loads(line.removeprefix("PEOPLE="))]


def change(stack: Stack, topic: str, number: int, *, ring: bool = True) -> None:
    stack.sql(CHANGE, {"topic": topic, "number": number})
    if ring:
        stack.redis().publish(f"{stack.env['PARLANCE_REDIS_PREFIX']}topic:{topic}", '{"k":"r"}')
