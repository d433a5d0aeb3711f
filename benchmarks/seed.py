"""``python -m benchmarks.seed``: people, keys, a provider, and as many rows as a measurement needs; prints JSON."""

from __future__ import annotations

import argparse
import json
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.db import connection  # noqa: E402

from tests.seeding import people  # noqa: E402

WORDS = [
    "harbour",
    "crane",
    "ledger",
    "manifest",
    "quay",
    "night",
    "shift",
    "seal",
    "container",
    "customs",
    "terminal",
    "driver",
    "locker",
    "notebook",
    "river",
    "bridge",
    "meeting",
    "budget",
    "invoice",
    "server",
    "deploy",
    "backup",
    "query",
    "index",
    "message",
    "model",
    "answer",
    "question",
    "report",
    "chapter",
    "scene",
    "camera",
    "light",
]


_CONVERSATIONS = """
INSERT INTO conversations_conversation (id, organization_id, project_id, owner_id, title, title_source, visibility, system_prompt, tags,
  last_number, is_linear, input_tokens, output_tokens, cost, currency, last_activity_at, imported_digest, version, updated_at)
SELECT gen_random_uuid(), %(organization)s, %(project)s, %(user)s, 'Conversation ' || n, 'typed', 'project', '', '{}',
  0, true, 0, 0, 0, '', now() - n * interval '1 minute', '', 1, now()
FROM generate_series(1, %(count)s) AS n RETURNING id
"""

_MESSAGES = """
INSERT INTO conversations_message (id, organization_id, conversation_id, number, role, author_id, parent_id, status, parts, content,
  answered_by, is_edit, created_at, updated_at)
SELECT md5(c.id::text || n)::uuid, %(organization)s, c.id, n, CASE WHEN n %% 2 = 1 THEN 'user' ELSE 'assistant' END,
  CASE WHEN n %% 2 = 1 THEN %(user)s::uuid END, CASE WHEN n > 1 THEN md5(c.id::text || (n - 1))::uuid END, 'completed',
  jsonb_build_array(jsonb_build_object('type', 'text', 'text', body.text)), body.text, '', false,
  now() - (random() * 1000000) * interval '1 second', now()
FROM unnest(%(conversations)s::uuid[]) AS c(id), generate_series(1, %(each)s) AS n,
  LATERAL (
    SELECT string_agg((%(words)s::text[])[1 + floor(power(random(), 2) * %(word_count)s + k * 0)::int], ' ') AS text
    FROM generate_series(1, 25 + n * 0) AS k
  ) AS body
"""


def conversations(person: dict, count: int, each: int) -> list[str]:
    """``count`` conversations of ``each`` messages, written in bulk; words follow a skewed distribution."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SET synchronous_commit = off")
        cursor.execute(_CONVERSATIONS, {**person, "count": count})
        ids = [row[0] for row in cursor.fetchall()]
        words = [*WORDS, *(f"word{number}" for number in range(3000))]
        for start in range(0, len(ids) if each else 0, 100):
            chunk = ids[start : start + 100]
            cursor.execute(
                _MESSAGES, {**person, "conversations": chunk, "each": each, "words": words, "word_count": len(words)}
            )
        if each:
            cursor.execute(
                "UPDATE conversations_conversation c SET last_number = %s, head_id = md5(c.id::text || %s)::uuid WHERE id = ANY(%s)",
                [each, each, ids],
            )
        cursor.execute("ANALYZE")
    return [str(pk) for pk in ids]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, default=1)
    parser.add_argument("--each-organization", type=int, default=10)
    parser.add_argument("--provider", default="")
    parser.add_argument("--conversations", type=int, default=0)
    parser.add_argument("--messages", type=int, default=0)
    given = parser.parse_args()
    made = people(given.people, each_organization=given.each_organization, provider_url=given.provider)
    ids = conversations(made[0], given.conversations, given.messages) if given.conversations else []
    print(json.dumps({"people": made, "conversations": ids}))


if __name__ == "__main__":
    main()
