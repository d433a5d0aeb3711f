"""What the architecture tests look at."""

import ast
import functools
import tomllib
from collections.abc import Iterator
from pathlib import Path

from django.apps import AppConfig, apps

ROOT = Path(__file__).resolve().parents[2]

#: Lowest floor first (docs/architecture.md).
FLOORS = [
    {"core"},
    {"accounts"},
    {"files", "plugins"},
    {"llm"},
    {"live", "webhooks", "bulk", "experiments", "datamgmt", "notifications"},
    {"knowledge", "integrations", "voice"},
    {"agents"},
    {"conversations"},
    {"extraction"},
    {"workflows"},
    {"insights", "billing", "packs"},
    {"web", "gateway"},
]


def our_apps() -> list[AppConfig]:
    return [config for config in apps.get_app_configs() if config.name.startswith("apps.")]


def floor_of(label: str) -> int:
    return next(number for number, floor in enumerate(FLOORS) if label in floor)


def product_files(suffix: str = ".py") -> Iterator[Path]:
    for folder in ("apps", "config"):
        for path in sorted((ROOT / folder).rglob(f"*{suffix}")):
            if "migrations" not in path.parts and "__pycache__" not in path.parts:
                yield path


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def names_in(path: Path) -> dict[str, str]:
    """What the imports of a module, inner ones too, call what: local name → dotted name."""
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def import_contracts() -> list[dict]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def modules_named(role: str) -> Iterator[Path]:
    """``services.py`` and the modules of a ``services/`` package, of every app."""
    for config in our_apps():
        single = Path(config.path) / f"{role}.py"
        if single.exists():
            yield single
        for path in sorted((Path(config.path) / role).glob("*.py")):
            if path.name != "__init__.py":
                yield path


def public_functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in parsed(path).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("_"):
            yield node
