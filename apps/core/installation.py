"""How this installation is set up: what ``doctor`` advises on, and what a start refuses to overlook."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from apps.core import crypto, key_rotation, mail, redis
from apps.core.health import examine

RESERVED_CONNECTIONS = 10
#: Beside the pools: the coordinator's own connection, one command, the hub of the web process.
OTHER_CONNECTIONS = 3

Weight = Literal["ok", "advice", "failure"]


@dataclass(frozen=True, slots=True)
class Note:
    weight: Weight
    says: str
    advice: str = ""


def planned_connections() -> int:
    """Web, interactive, calls, jobs with its children: each has a pool."""
    web = int(os.environ.get("PARLANCE_WEB_PROCESSES", "1"))
    children = int(os.environ.get("PARLANCE_JOBS_PROCESSES", "2"))
    return settings.DB_POOL_SIZE * (web + 1 + 1 + 1 + children) + OTHER_CONNECTIONS


def _one(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone()
    return str(row[0]) if row else ""


def check_pools() -> Note:
    planned, maximum = planned_connections(), int(_one("SHOW max_connections"))
    says = f"The pools may take {planned} connections, the database has {maximum} ({RESERVED_CONNECTIONS} kept free)."
    if planned <= maximum - RESERVED_CONNECTIONS:
        return Note("ok", says)
    return Note("failure", says, "Lower PARLANCE_DB_POOL or raise max_connections.")


def check_roles() -> Note:
    if not settings.DATABASE_ROLES_DIFFER:
        return Note(
            "advice",
            "One database role migrates and runs: the event log and the audit trail can be rewritten by the application.",
            "Give DATABASE_OWNER_URL a role of its own (docs/operations.md).",
        )
    may = _one("SELECT has_table_privilege(current_user, 'core_event', 'DELETE')")
    if may == "True":
        return Note(
            "failure",
            "The application's role may delete events.",
            "Run the migrations as the owner (manage.py migrate with PARLANCE_AS_OWNER=1).",
        )
    return Note("ok", "The application's role can only append to the event log.")


def check_versions() -> Note:
    postgres = int(_one("SHOW server_version_num"))
    vector = _one("SELECT coalesce((SELECT extversion FROM pg_extension WHERE extname = 'vector'), '')")
    server = redis.client().info("server")["redis_version"]
    says = f"PostgreSQL {postgres // 10000}, pgvector {vector or 'missing'}, Redis {server}."
    number = [int(part) for part in str(server).split(".")[:2]]
    if postgres < 170000 or number < [6, 2] or (vector and [int(p) for p in vector.split(".")] < [0, 8, 4]):  # noqa: PLR2004
        return Note("failure", says, "PostgreSQL 17, pgvector 0.8.4 and Redis 6.2 are the oldest that are tested.")
    return Note("ok", says)


def check_redis_keeps() -> Note:
    policy = str(redis.client().config_get("maxmemory-policy").get("maxmemory-policy", ""))
    if policy in {"", "noeviction"}:
        return Note("ok", "Redis refuses writes when it is full instead of dropping keys.")
    return Note("advice", f"Redis drops keys when it is full ({policy}).", "Set maxmemory-policy noeviction.")


def keys_do_not_fit() -> Note:
    return Note(
        "failure",
        f"The keys in {crypto.keys_path()} do not open what this database holds.",
        "Put back the key file that belongs to this database. If it is lost: manage.py rotate_keys --accept-loss; keys of providers "
        "and second factors must then be entered again.",
    )


def check_key_file() -> Note:
    path = crypto.keys_path()
    try:
        key_rotation.check_keys()
    except crypto.KeysDoNotFit:
        return keys_do_not_fit()
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return Note("failure", f"Others on this machine may read {path}.", f"chmod 600 {path}")
    if old := key_rotation.count_sealed_with_old_keys():
        return Note("advice", f"{old} secrets are sealed with an older key.", "manage.py rotate_keys --resume")
    return Note("ok", "The key file fits and is its owner's alone.")


def check_migrations() -> Note:
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        return Note("failure", f"{len(waiting)} migrations are not applied.", "manage.py migrate")
    return Note("ok", "All migrations are applied.")


def check_embedded() -> Note:
    if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
        return Note("ok", "PostgreSQL and Redis are run by the operator.")
    return Note(
        "advice",
        "The embedded PostgreSQL and Redis are for trying out and for small teams.",
        "Beyond that set DATABASE_URL and REDIS_URL to servers that are backed up and watched.",
    )


def check_exposure() -> Iterator[Note]:
    if settings.DEBUG:
        yield Note("failure", "PARLANCE_DEBUG is on.", "Unset it where others can reach this installation.")
    host = urlsplit(settings.PARLANCE_URL).hostname or ""
    if not settings.IS_HTTPS and host not in {"localhost", "127.0.0.1", "::1"}:
        yield Note("failure", f"{settings.PARLANCE_URL} is not https: sign-ins travel in clear.", "Put TLS in front.")
    if not mail.is_delivered():
        yield Note("advice", "Mail is printed, not sent.", "Set EMAIL_HOST, EMAIL_PORT, EMAIL_HOST_USER, …")


def check_health() -> Iterator[Note]:
    for each in examine():
        if each.is_healthy:
            yield Note("ok", f"{each.name} answers in {each.milliseconds} ms.")
        else:
            weight: Weight = "failure" if each.is_critical else "advice"
            yield Note(weight, f"{each.name}: {each.detail}.", "Look at the log of the process that owns it.")


CHECKS: tuple[Callable[[], Note], ...] = (
    check_migrations,
    check_pools,
    check_roles,
    check_versions,
    check_redis_keeps,
    check_key_file,
    check_embedded,
)
