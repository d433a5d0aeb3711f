import signal

import psycopg
import pytest

from apps.core.embedded.processes import wait_until
from tests.stack import Stack


@pytest.fixture(scope="module")
def stack():
    with Stack() as running:
        yield running


def test_stack_runs_the_four_roles(stack):
    assert stack.roles == ["web", "interactive", "calls", "jobs"]
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


def test_jobs_keep_their_connections(stack):
    """Each connection is a process of PostgreSQL, which plans everything anew: a hundred jobs make a few of them."""
    made = "SELECT sessions FROM pg_stat_database WHERE datname = current_database()"
    hints = "for _ in range(100): hint('core.send_mail', mail_id='00000000-0000-7000-8000-000000000000')"
    before = stack.sql(made)[0][0]

    stack.manage("shell", "--no-imports", "-c", f"from apps.core.jobs import hint\n{hints}")

    with stack.redis() as client:
        queue = f"{stack.env['PARLANCE_REDIS_PREFIX']}jobs"
        assert wait_until(lambda: not client.llen(queue), seconds=30)
    stack.restart("jobs")  # what its servers counted is told at their end
    assert stack.sql(made)[0][0] - before < 50
