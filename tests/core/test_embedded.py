import psycopg
import pytest
from django.db import connection

from tests import services


@pytest.mark.django_db
def test_application_role_reads_and_writes_but_changes_no_table():
    database = connection.settings_dict["NAME"]

    with psycopg.connect(services.app_url(database)) as app:
        row = app.execute("SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user")

        assert row.fetchone() == (False, False, False)
        assert app.execute("SELECT count(*) FROM django_migrations").fetchone()[0] > 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("CREATE TABLE mine (id int)")
