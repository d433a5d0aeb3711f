"""What the application's database role may not do, tried as that role."""

import psycopg
import pytest

from tests import services

INSERT = """
INSERT INTO core_event (id, topic, topic_position, type, version, actor_kind, subject_type, payload, is_refusal, correlation_id, depth)
VALUES (gen_random_uuid(), 'thing:1', %s, 't.t', 1, 'system', '', '{}', false, '', 0)
"""


@pytest.fixture(scope="module")
def as_application(database):
    with psycopg.connect(services.app_url(database), autocommit=True) as connection:
        yield connection


def test_application_appends_and_numbers_events(as_application):
    as_application.execute(INSERT, [1])

    assert as_application.execute("UPDATE core_event SET position = 1 WHERE position IS NULL").rowcount == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE core_event SET type = 'forged'",
        "UPDATE core_event SET payload = '{}'",
        "DELETE FROM core_event",
        "TRUNCATE core_event",
        "DROP TABLE core_event",
        "ALTER TABLE core_event ADD COLUMN x int",
    ],
)
def test_application_cannot_rewrite_the_log(as_application, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_application.execute(statement)


def test_application_cannot_give_itself_the_right(as_application):
    as_application.execute("GRANT DELETE ON core_event TO parlance_app")  # PostgreSQL only warns

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_application.execute("DELETE FROM core_event")
