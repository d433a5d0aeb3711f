"""What comes with the installation: which version it is, and where its packs are."""

from __future__ import annotations

import tomllib
from pathlib import Path

from config import env

_ROOT = Path(__file__).resolve().parent.parent
PARLANCE_VERSION = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
# Folders of packs that are offered to every project.
PARLANCE_PACKS_DIR = env.text("PARLANCE_PACKS_DIR", str(_ROOT / "packs"))
