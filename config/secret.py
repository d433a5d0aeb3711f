"""Django's own secret: from the environment, else a file beside the data, made once."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from config import env


def secret_key(data_dir: Path) -> str:
    """Sessions and signed cursors depend on it; nothing that is stored encrypted does."""
    if given := env.text("PARLANCE_SECRET_KEY"):
        return given
    path = data_dir / "secret-key"
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        pass
    data_dir.mkdir(parents=True, exist_ok=True)
    made = secrets.token_urlsafe(48)
    temporary = path.with_name(f"secret-key.{os.getpid()}")
    temporary.touch(mode=0o600)
    temporary.write_text(made, encoding="ascii")
    try:
        os.link(temporary, path)  # atomic: of two processes that start together one wins, and both read its key
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    return path.read_text(encoding="ascii")
