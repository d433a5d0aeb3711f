import signal

import psycopg
import pytest

from tests.stack import Stack


@pytest.fixture(scope="module")
def stack():
    with Stack() as running:
        yield running


def test_stack_runs_the_three_roles(stack):
    assert stack.roles == ["web", "interactive", "jobs"]
    assert all(stack.is_running(role) for role in stack.roles)
    assert len(stack.pids("jobs")) >= 3


def test_stack_process_connects_as_the_application_role(stack):
    with psycopg.connect(stack.env["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("parlance_app",)


def test_stack_role_is_killed_and_started_again(stack):
    before = stack.pids("jobs")

    stack.kill("jobs", signal.SIGKILL)
    stack.start("jobs")

    assert not set(before) & set(stack.pids("jobs"))
