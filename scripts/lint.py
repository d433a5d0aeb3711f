"""Every check of the tree, offline. All run, then the failed ones are named."""

import difflib
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests import services  # noqa: E402 - found through the line above

OPENAPI = ROOT / "docs" / "openapi.yaml"


def main() -> None:
    running = services.start_services()
    services.export(running)
    os.environ["PARLANCE_DATA_DIR"] = str(running.data)
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    os.environ["PARLANCE_LOG_LEVEL"] = "WARNING"
    chosen = sys.argv[1:] or list(STEPS)
    try:
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # they wait for processes
            held = list(pool.map(lambda name: STEPS[name](), chosen))
    finally:
        running.remove()
    if failed := [name for name, holds in zip(chosen, held, strict=True) if not holds]:
        sys.exit(f"lint failed: {', '.join(failed)}")
    print("lint passed")


def python(*arguments: str, **environment: str) -> bool:
    """Whether it ended well; what it said is printed in one piece, since others run beside it."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print("$ python " + " ".join(arguments) + f"\n{done.stdout}", end="", flush=True)
    return done.returncode == 0


def lint_migrations() -> bool:
    """Judges the SQL of migrations made since the last release: what that release could not live with."""
    tag = subprocess.run(
        ["git", "describe", "--tags", "--abbrev=0", "--match", "v*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    if not tag:
        print("$ lintmigrations: no release yet that new migrations could break")
        return True
    ours = sorted(folder.parent.name for folder in (ROOT / "apps").glob("*/migrations"))
    options = ["--project-root-path=.", f"--git-commit-id={tag}", "--include-apps", *ours, "--no-cache"]
    return python(
        "manage.py",
        "lintmigrations",
        *options,
        "--warnings-as-errors",
        "--quiet",
        "ok",
        "ignore",
        PARLANCE_EXTRA_APPS="django_migration_linter",
        PARLANCE_AS_OWNER="1",
    )


def lint_templates() -> bool:
    folders = [str(folder.relative_to(ROOT)) for folder in (ROOT / "templates",) if folder.exists()]
    return not folders or python("-m", "djlint", *folders, "--lint", "--quiet")


def lint_openapi() -> bool:
    """The committed file is what the code says."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "openapi.yaml"
        if not python("manage.py", "spectacular", "--fail-on-warn", "--validate", "--file", str(fresh)):
            return False
        if not OPENAPI.exists():
            return True
        ours, theirs = OPENAPI.read_text().splitlines(), fresh.read_text().splitlines()
    changes = list(difflib.unified_diff(ours, theirs, "docs/openapi.yaml", "the code", lineterm="", n=1))
    print("\n".join(changes[:60]))
    if changes:
        print("docs/openapi.yaml is behind the code: make openapi")
    return not changes


def lint_imports() -> bool:
    configured = "[tool.importlinter]" in (ROOT / "pyproject.toml").read_text() or (ROOT / ".importlinter").exists()
    return not configured or python("-c", "from importlinter.cli import lint_imports_command as run; run()")


def lint_types() -> bool:
    configured = "[tool.mypy]" in (ROOT / "pyproject.toml").read_text() or (ROOT / "mypy.ini").exists()
    return not configured or python("-m", "mypy")


STEPS = {
    "mypy": lint_types,  # the longest first
    "ruff check": lambda: python("-m", "ruff", "check", "."),
    "ruff format": lambda: python("-m", "ruff", "format", "--check", "--quiet", "."),
    "import-linter": lint_imports,
    "makemigrations": lambda: python("manage.py", "makemigrations", "--check", "--dry-run"),
    "migration linter": lint_migrations,
    "djlint": lint_templates,
    "openapi": lint_openapi,
    "secrets": lambda: python("scripts/secret_scan.py"),
    "advisories": lambda: python("scripts/advisories.py", "check"),
}

if __name__ == "__main__":
    main()
