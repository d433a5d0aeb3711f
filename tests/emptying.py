"""A pytest plugin: after a transactional test only the tables that hold rows are emptied.

Django truncates them all and makes content types and permissions anew, several hundred times a run, a fifth of a second each.
What Django writes after migrations follows from the code alone: it stays.
"""

import functools
from typing import Any

from django.db import IntegrityError, connections, transaction
from django.test import TransactionTestCase

STAYS = {"auth_permission", "django_content_type", "django_site"}
ATTEMPTS = 3


@functools.cache
def _question(database: str) -> str:
    tables = connections[database].introspection.django_table_names(only_existing=True, include_views=False)
    return " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM \"{name}\")" for name in sorted(tables))


def empty(database: str) -> None:
    """Foreign keys are checked at the end of the transaction, so the order of the tables is of no matter."""
    with transaction.atomic(using=database), connections[database].cursor() as cursor:
        cursor.execute(_question(database))
        for (name,) in cursor.fetchall():
            if name not in STAYS:
                cursor.execute(f'DELETE FROM "{name}"')


def _fixture_teardown(self: Any) -> None:
    for database in self._databases_names(include_mirrors=False):
        for left in reversed(range(ATTEMPTS)):
            try:
                empty(database)
                break
            except IntegrityError:  # a thread of the test has just written its last row
                if not left:
                    raise


def pytest_configure() -> None:
    TransactionTestCase._fixture_teardown = _fixture_teardown
