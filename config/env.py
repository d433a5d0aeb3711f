"""Typed reading of the environment: each function names the variable in its error."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"", "0", "false", "no", "off"}


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def flag(name: str, *, default: bool = False) -> bool:
    raw = os.environ.get(name, "").strip().lower()
    if not raw:
        return default
    if raw in TRUE:
        return True
    if raw in FALSE:
        return False
    message = f"{name} is {raw!r}. Use 1 or 0."
    raise ImproperlyConfigured(message)


def integer(name: str, default: int) -> int:
    raw = text(name)
    try:
        return int(raw) if raw else default
    except ValueError:
        message = f"{name} is {raw!r}. Use a whole number."
        raise ImproperlyConfigured(message) from None


def number(name: str, default: float) -> float:
    raw = text(name)
    try:
        return float(raw) if raw else default
    except ValueError:
        message = f"{name} is {raw!r}. Use a number."
        raise ImproperlyConfigured(message) from None


def sign_in_risk() -> tuple[int, int]:
    """From which scores a second step is asked, and a sign-in refused (docs/subsystems/sign-in-risk.md).

    Where mail reaches people, a new device in a new network is asked for a code; elsewhere only what is suspicious is.
    """
    asked = integer("PARLANCE_SIGN_IN_STEP_UP_AT", 35 if text("EMAIL_HOST") else 40)
    return asked, integer("PARLANCE_SIGN_IN_REFUSE_AT", 100)


def rate(name: str, default: str) -> tuple[float, float]:
    """``10/20``: ten a second, twenty at once."""
    raw = text(name, default)
    try:
        a_second, at_once = (float(part) for part in raw.split("/"))
    except ValueError:
        a_second = at_once = 0.0
    if a_second <= 0 or at_once < 1:
        message = f"{name} is {raw!r}. Use two numbers such as 10/20: so many a second, so many at once."
        raise ImproperlyConfigured(message)
    return a_second, at_once


def words(name: str, default: str = "") -> list[str]:
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def database(url: str) -> dict[str, Any]:
    """Django's dictionary for ``postgresql://user:password@host:port/name?host=/socket/folder&sslmode=…``."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        message = "DATABASE_URL must begin with postgresql:// (PostgreSQL is the only database)."
        raise ImproperlyConfigured(message)
    options = dict(parse_qsl(parts.query))
    host = options.pop("host", "") or unquote(parts.hostname or "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or ""),
        "OPTIONS": options,
    }


def running_address(data_dir: Path) -> tuple[str, int]:
    """Address and port of the web that `manage.py up` runs for this data folder, so that the links of other commands lead there. None runs: "", 0.

    A run that was killed leaves its address behind, but never its lock.
    """
    try:
        if not _is_locked(data_dir / "up.lock"):
            return "", 0
        found = json.loads((data_dir / "run.json").read_text(encoding="utf-8"))
        return str(found["url"]), int(found["port"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", 0


def _is_locked(path: Path) -> bool:
    """Does a process hold it (``apps.core.embedded.services.DataFolderLock``)? OSError where there is none."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def address(data_dir: Path, *, is_test: bool) -> tuple[str, int]:
    """Where people find this. What the environment does not say is as it is for the server that runs; its own processes are told all of it."""
    url, port = ("", 0) if is_test or text("PARLANCE_PORT") else running_address(data_dir)
    port = integer("PARLANCE_PORT", port or 8000)
    return text("PARLANCE_URL", url or f"http://localhost:{port}").rstrip("/"), port


def running_services(data_dir: Path) -> dict[str, str]:
    """Addresses of the PostgreSQL and Redis that `manage.py up` runs for this data folder, so that other commands find them."""
    try:
        found = json.loads((data_dir / "services.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in found.items()}
