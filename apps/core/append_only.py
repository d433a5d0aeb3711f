"""Tables that even the application cannot rewrite: a migration takes the rights away from its database role."""

from __future__ import annotations

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

APP_ROLE = "parlance_app"


class AppendOnly(migrations.operations.base.Operation):
    """``AppendOnly("core_event", may_update=["position"])``: the application may insert, and update the named columns.

    With one database role for everything there is nobody to take rights from; ``doctor`` says that the promise is off.
    """

    reduces_to_sql = True
    reversible = True
    atomic = True

    def __init__(self, table: str, may_update: tuple[str, ...] = (), *, may_delete: bool = False) -> None:
        self.table = table
        self.may_update = may_update
        self.may_delete = may_delete

    def deconstruct(self) -> tuple[str, list[object], dict[str, object]]:
        options: dict[str, object] = {"may_delete": True} if self.may_delete else {}
        return (self.__class__.__qualname__, [self.table, self.may_update], options)

    def state_forwards(self, app_label: str, state: object) -> None:
        """Rights are no part of the models."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: object, to_state: object
    ) -> None:
        if not _role_is_apart(schema_editor):
            return
        quoted = schema_editor.quote_name(self.table)
        refused = "UPDATE, TRUNCATE" if self.may_delete else "UPDATE, DELETE, TRUNCATE"
        schema_editor.execute(f"REVOKE {refused} ON {quoted} FROM {APP_ROLE}")
        if self.may_update:
            columns = ", ".join(schema_editor.quote_name(name) for name in self.may_update)
            schema_editor.execute(f"GRANT UPDATE ({columns}) ON {quoted} TO {APP_ROLE}")

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: object, to_state: object
    ) -> None:
        if _role_is_apart(schema_editor):
            schema_editor.execute(f"GRANT UPDATE, DELETE ON {schema_editor.quote_name(self.table)} TO {APP_ROLE}")

    def describe(self) -> str:
        return f"Let the application only append to {self.table}"


def _role_is_apart(schema_editor: BaseDatabaseSchemaEditor) -> bool:
    """The role exists and is not the one that migrates (an owner cannot be kept from its own table)."""
    if schema_editor.collect_sql:
        return False
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_roles WHERE rolname = %s AND rolname <> current_user AND NOT rolsuper", [APP_ROLE]
        )
        row = cursor.fetchone()
    return bool(row and row[0])
