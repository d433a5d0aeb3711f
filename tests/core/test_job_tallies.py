"""What jobs and sweeps did, as operators see it."""

import pytest
from django.db import connection
from django.test import Client

from apps.core import coordinator, job_tallies, jobs
from apps.core.models import JobTally
from tests.accounts.factories import ProjectFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def counted(monkeypatch):
    """Nothing of other tests, and written at once."""
    monkeypatch.setattr(job_tallies, "WRITE_SECONDS", 0.0)
    job_tallies._done.clear()


@pytest.fixture
def named(monkeypatch):
    monkeypatch.setattr(jobs, "_jobs", dict(jobs._jobs))


def well_done(**_ids):
    pass


def failing(**_ids):
    raise ValueError


@pytest.mark.django_db(transaction=True)
def test_jobs_and_sweeps_are_counted_with_those_that_fail(named):
    well = jobs.job("core.test_well")(well_done)
    badly = jobs.job("core.test_badly")(failing)
    well.run()
    well.run()
    with pytest.raises(ValueError, match=r"^$"):
        badly.run()
    coordinator.run_sweep(coordinator.Sweep("test crumbs", 60, failing))
    coordinator.run_sweep(coordinator.Sweep("test crumbs", 60, well_done))

    found = {each.kind: (each.runs, each.failures) for each in job_tallies.stats()}

    assert found == {"core.test_well": (2, 0), "core.test_badly": (1, 1), "sweep: test crumbs": (2, 1)}
    assert all(each.seconds >= each.longest_seconds >= 0 for each in job_tallies.stats())
    assert JobTally.objects.count() == 3, "a row for each day"


def test_what_was_not_written_is_written_later(monkeypatch, named):
    with pytest.MonkeyPatch.context() as away:
        away.setattr(job_tallies, "_ADD", "SELECT nothing FROM nowhere")
        with connection.cursor() as cursor:
            cursor.execute("SAVEPOINT before")
        with job_tallies.counted("core.test_lost"):
            pass
        with connection.cursor() as cursor:
            cursor.execute("ROLLBACK TO SAVEPOINT before")
    assert job_tallies.stats() == []

    with job_tallies.counted("core.test_lost"):
        pass

    (found,) = job_tallies.stats()
    assert (found.kind, found.runs) == ("core.test_lost", 2)


def test_old_days_are_forgotten():
    with job_tallies.counted("core.test_old"):
        pass
    JobTally.objects.update(day="2020-01-01")
    with job_tallies.counted("core.test_new"):
        pass

    assert [each.kind for each in job_tallies.stats()] == ["core.test_new"]
    job_tallies.forget_old()
    assert JobTally.objects.get().name == "core.test_new"


@pytest.mark.parametrize(("is_operator", "kinds"), [(True, ["core.test_seen"]), (False, [])])
def test_operators_see_them_beside_the_kinds_of_operations(is_operator, kinds):
    who = UserFactory(is_superuser=is_operator, is_staff=is_operator)
    ProjectFactory(owner=who)
    with job_tallies.counted("core.test_seen"):
        pass
    client = Client()
    client.force_login(who)

    answer = client.get("/api/v1/jobs/stats/").json()

    assert [each["kind"] for each in answer["jobs"]] == kinds
