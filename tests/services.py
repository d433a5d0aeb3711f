"""The PostgreSQL cluster and the Redis of one test run, shared by its workers."""

import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from urllib.parse import parse_qs, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from apps.core.embedded import binaries
from apps.core.embedded.folders import Notes
from apps.core.embedded.postgres_server import ADMIN, APP, OWNER
from apps.core.embedded.service_user import service_user
from apps.core.embedded.services import DataFolderInUse, Services

CHECKOUT = Path(__file__).resolve().parent.parent
#: Two runs at once in one checkout take two slots.
SLOTS = 8
#: The environment in which workers and real processes find the cluster (superuser URL: creates databases).
ADMIN_URL_VARIABLE = "PARLANCE_TEST_ADMIN_URL"
FOLDER_VARIABLE = "PARLANCE_TEST_FOLDER"

#: A database in the cluster that has all tables, and nothing in them but what migrations write.
TEMPLATE = "migrated"
#: Any number: whoever holds it makes the template.
TEMPLATE_LOCK = 7401
#: What the migrations made, for the next run of this checkout.
KEPT = CHECKOUT / ".pytest_cache" / "migrated"
MIGRATE_SECONDS = 300.0
LOAD_SECONDS = 60.0


def start_services() -> Services:
    """Start empty servers. What a killed earlier run left in the same slot is stopped and removed."""
    key = hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:12]
    for slot in range(SLOTS):
        folder = Path(tempfile.gettempdir()) / f"parlance-tests-{os.getuid()}-{key}-{slot}"
        services = Services(folder, durable=False)
        try:
            services.lock()
        except DataFolderInUse:
            continue
        services.wipe()
        services.start()
        return services
    raise RuntimeError(f"{SLOTS} test runs are already going on in {CHECKOUT}")


def export(services: Services) -> None:
    """Set the environment that settings, workers and real processes read.

    Tests connect as the owner, who may create and truncate tables; the rights of the application's role are tested by
    real processes (``tests.stack``) and through ``app_url``.
    """
    urls = services.urls()
    assert urls.database_owner
    assert urls.database_admin
    assert urls.redis
    os.environ["DATABASE_URL"] = os.environ["DATABASE_OWNER_URL"] = urls.database_owner
    os.environ["REDIS_URL"] = urls.redis
    os.environ[ADMIN_URL_VARIABLE] = urls.database_admin
    os.environ[FOLDER_VARIABLE] = str(services.data)
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
        # Nothing is written beside the code, and not every one of many processes compiles all of it: 3 s of a core each.
        os.environ["PYTHONPYCACHEPREFIX"] = str(services.data / "bytecode")


def with_database(url: str, database: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{database}"))


def role_url(role: str, database: str) -> str:
    """The URL of one role of the running test cluster."""
    host = parse_qs(urlsplit(os.environ[ADMIN_URL_VARIABLE]).query)["host"][0]
    password = Notes(Path(os.environ[FOLDER_VARIABLE])).read()[f"password_{role}"]
    return f"postgresql://{role}:{password}@/{database}?host={host}"


def app_url(database: str) -> str:
    return role_url(APP, database)


def owner_url(database: str) -> str:
    return role_url(OWNER, database)


def migrated_template() -> str:
    """The name of a database that was migrated once for this run, to make others from: 0.1 s in place of half a minute."""
    with psycopg.connect(role_url(ADMIN, "postgres"), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [TEMPLATE_LOCK])
        ready = connection.execute("SELECT datistemplate FROM pg_database WHERE datname = %s", [TEMPLATE])
        if ready.fetchone() != (True,):
            name = sql.Identifier(TEMPLATE)
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(name))
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, sql.Identifier(OWNER)))
            _make_tables(owner_url(TEMPLATE))
            connection.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE true").format(name))
    return TEMPLATE


def copy_migrated(name: str) -> None:
    template = migrated_template()
    with psycopg.connect(role_url(ADMIN, "postgres"), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(OWNER), sql.Identifier(template)
            )
        )


def load_migrated(servers: Services) -> None:
    """The same into other servers, by a dump: they have the same roles."""
    target = servers.urls().database_owner
    assert target
    with tempfile.TemporaryFile() as dump:
        _dump(owner_url(migrated_template()), dump)
        dump.seek(0)
        _load(target, dump)


def _dump(source: str, file: IO[bytes]) -> None:
    tool = binaries.postgres_folder(service_user()) / "bin" / "pg_dump"
    subprocess.run([tool, "--no-comments", "--dbname", source], stdout=file, check=True, timeout=LOAD_SECONDS)


def _load(target: str, file: IO[bytes]) -> None:
    """The dump says which rights there are; what a new table gets by itself would come on top of them."""
    tool = binaries.postgres_folder(service_user()) / "bin" / "psql"
    bare = f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public REVOKE ALL ON"
    load = [tool, "--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--dbname", target]
    load += [part for kind in ("TABLES", "SEQUENCES") for part in ("--command", f"{bare} {kind} FROM {APP}")]
    load += ["--file", "-"]
    subprocess.run(load, stdin=file, stdout=subprocess.DEVNULL, check=True, timeout=LOAD_SECONDS)


def _make_tables(url: str) -> None:
    """By the migrations, or by what they made in an earlier run of this checkout: a second in place of half a minute."""
    kept = KEPT / f"{_digest_of_migrations()}.sql"
    if kept.exists():
        with kept.open("rb") as file:
            _load(url, file)
        return
    _migrate(url)
    KEPT.mkdir(parents=True, exist_ok=True)
    for older in KEPT.glob("*.sql"):
        older.unlink(missing_ok=True)
    with tempfile.NamedTemporaryFile(dir=KEPT, delete=False) as file:
        _dump(url, file)
    Path(file.name).rename(kept)


def _digest_of_migrations() -> str:
    """Of all that decides what is in a migrated database: our migrations, the pins of others', and which apps there are."""
    digest = hashlib.sha256(sys.version.encode())
    files = [CHECKOUT / "config/settings.py", CHECKOUT / "requirements/base.txt"]
    for file in (*files, *sorted((CHECKOUT / "apps").glob("*/migrations/**/*.py")), *_models()):
        digest.update(f"{file.relative_to(CHECKOUT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:24]


def _models() -> list[Path]:
    """Permissions and content types follow them."""
    return sorted(file for file in (CHECKOUT / "apps").glob("**/*.py") if "models" in (file.stem, file.parent.name))


def _migrate(url: str) -> None:
    # The collector finds nothing to keep in the thousands of models that migrations render: a quarter of the time.
    code = "import gc, sys; gc.disable(); from django.core.management import execute_from_command_line as run; run(sys.argv)"
    urls = {"DATABASE_URL": url, "DATABASE_OWNER_URL": url, "PARLANCE_AS_OWNER": "1"}
    subprocess.run(
        [sys.executable, "-c", code, "migrate", "--no-input", "--verbosity", "0"],
        cwd=CHECKOUT,
        env={**os.environ, **urls, "DJANGO_SETTINGS_MODULE": "config.settings"},
        check=True,
        timeout=MIGRATE_SECONDS,
    )


@contextlib.contextmanager
def temporary_database(name: str) -> Iterator[str]:
    """A migrated database, gone at the end even when somebody is still connected."""
    admin = role_url(ADMIN, "postgres")
    identifier = sql.Identifier(name)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))
    copy_migrated(name)
    try:
        yield name
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))
