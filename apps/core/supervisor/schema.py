"""Bringing the tables up to date before the processes start, and knowing quickly that they are."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psycopg

from apps.core.embedded.types import EmbeddedError
from apps.core.supervisor.nursery import ROOT


def migrate_if_needed(*, data: Path, environment: Mapping[str, str]) -> bool:
    """Run ``migrate`` as the owner unless code and database are both as the last migration left them.

    Asking Django costs seconds at every start; a digest of the migration files and of the applied rows costs
    milliseconds, and one of the two changes with a new release, another branch, a restored or another database.
    """
    note = data / "migrated.json"
    owner_url = environment.get("DATABASE_OWNER_URL") or environment["DATABASE_URL"]
    now = {"code": _code_digest(environment), "database": _database_digest(owner_url)}
    if now["database"] and _read(note) == now:
        return False
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--no-input"],
        cwd=ROOT,
        env={**environment, "PARLANCE_AS_OWNER": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        start_new_session=True,  # Ctrl-C is ours to answer: `run` then ends it
    )
    if done.returncode:
        raise EmbeddedError(f"The database could not be migrated:\n{done.stdout.strip()}")
    note.write_text(json.dumps(now | {"database": _database_digest(owner_url)}))
    return True


def has_command(name: str) -> bool:
    return any(ROOT.glob(f"apps/*/management/commands/{name}.py"))


def _code_digest(environment: Mapping[str, str]) -> str:
    digest = hashlib.sha256(environment.get("PARLANCE_EXTRA_APPS", "").encode())
    for path in [*sorted(ROOT.glob("apps/*/migrations/*.py")), ROOT / "requirements" / "base.txt"]:
        digest.update(os.fsencode(path.relative_to(ROOT)))
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _database_digest(url: str) -> str:
    """Empty where nothing was migrated yet. An unreachable database is the operator's to put right."""
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            rows = connection.execute("SELECT app, name FROM django_migrations ORDER BY 1, 2").fetchall()
    except psycopg.errors.UndefinedTable:
        return ""
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[-1]
        raise EmbeddedError(f"The database does not answer (DATABASE_URL, DATABASE_OWNER_URL): {reason}") from None
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None
