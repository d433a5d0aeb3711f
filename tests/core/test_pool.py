"""The connection pool of a real process, over a restart of the database's side of it."""

PROBE = """
import django, time
django.setup()
from django.db import connection
import os, psycopg

assert "pool" in connection.settings_dict["OPTIONS"]

def ask():
    from apps.core.db import database_now
    database_now()
    connection.close()

ask()
with psycopg.connect(os.environ["PARLANCE_TEST_ADMIN_URL"], autocommit=True) as admin:
    cut = admin.execute(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s", [connection.settings_dict["NAME"]]
    ).fetchone()[0]
assert cut >= 1, cut
for _time in range(20):
    ask()
started = time.perf_counter()
for _time in range(200):
    ask()
print("ok", round((time.perf_counter() - started) / 200 * 1000, 2), "ms")
"""


def test_no_caller_meets_a_connection_that_died_in_the_pool(run):
    said = run("-c", PROBE, testing="")

    assert said.startswith("ok"), said
