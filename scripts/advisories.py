"""Known vulnerabilities of what is pinned.

``ask`` (``make advisories``, needs the network) asks the advisory services about every pin and keeps the answers in
``requirements/advisories.json``; ``check`` (``make lint``, offline) compares the pins of this checkout with that file: a pin with a
known vulnerability fails unless it was accepted with a reason, and pins that were never asked about are named.
"""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "requirements" / "advisories.json"
GROUPS = ("base", "dev", "documents", "embedded")
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
MAX_AGE_DAYS = 30
SECONDS = 300

#: Advisory → why it does not reach us. The list only shrinks.
ACCEPTED: dict[str, str] = {}


def main() -> None:
    match sys.argv[1:]:
        case ["ask"]:
            ask()
        case ["check"]:
            check()
        case _:
            sys.exit(f"usage: {Path(sys.argv[0]).name} ask|check")


def python_pins(root: Path = ROOT) -> dict[str, str]:
    texts = [(root / "requirements" / f"{group}.txt").read_text(encoding="utf-8") for group in GROUPS]
    return {f"pypi:{name.lower()}": version for text in texts for name, version in PIN.findall(text)}


def node_pins(root: Path = ROOT) -> dict[str, str]:
    lock = json.loads((root / "package-lock.json").read_text(encoding="utf-8"))
    return {
        f"npm:{path.rpartition('node_modules/')[2]}": each["version"] for path, each in lock["packages"].items() if path
    }


def ask() -> None:
    files = [part for group in GROUPS for part in ("-r", f"requirements/{group}.txt")]
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--format",
        "json",
        "--no-deps",
        "--disable-pip",
        "--progress-spinner",
    ]
    python = _run([*command, "off", *files])
    node = _run(["npm", "audit", "--json", "--package-lock-only"])
    if "dependencies" not in python or "vulnerabilities" not in node:
        sys.exit("The advisory services gave no answer; what is kept stays as it is.")
    found = [
        {"package": f"pypi:{each['name'].lower()}", "version": each.get("version", ""), "id": flaw["id"]}
        for each in python["dependencies"]
        for flaw in each.get("vulns", [])
    ]
    found += [
        {
            "package": f"npm:{name}",
            "version": node_pins().get(f"npm:{name}", ""),
            "id": str(via.get("url", via["source"])),
        }
        for name, each in node["vulnerabilities"].items()
        for via in each["via"]
        if isinstance(via, dict)
    ]
    unknown = {f"pypi:{each['name'].lower()}" for each in python["dependencies"] if "skip_reason" in each}
    asked = {name: version for name, version in (python_pins() | node_pins()).items() if name not in unknown}
    kept = {"asked_at": datetime.now(UTC).isoformat(timespec="seconds"), "asked": asked, "found": found}
    KEPT.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"asked about {len(asked)} pins, {len(found)} advisories; {len(unknown)} pins are unknown to the service")


def _run(command: list[str]) -> dict:
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
        return json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        print(f"{command[0]}: {error}", file=sys.stderr)
        return {}


def check() -> None:
    if not KEPT.exists():
        print("advisories: never asked (make advisories, where the network allows it); nothing is known of the pins")
        return
    flaws, notes = judge(json.loads(KEPT.read_text(encoding="utf-8")), python_pins() | node_pins(), datetime.now(UTC))
    print("\n".join(f"advisories: {line}" for line in [*notes, *flaws]))
    if flaws:
        sys.exit(1)


def judge(kept: dict, pins: dict[str, str], now: datetime) -> tuple[list[str], list[str]]:
    """(what fails, what is only said) of these pins, by what was kept."""
    flaws = [
        f"{each['package']} {each['version']} has {each['id']}"
        for each in kept["found"]
        if pins.get(each["package"]) == each["version"] and each["id"] not in ACCEPTED
    ]
    notes = []
    days = (now - datetime.fromisoformat(kept["asked_at"])).days
    if days > MAX_AGE_DAYS:
        notes.append(f"asked {days} days ago: make advisories")
    if new := sorted(name for name, version in pins.items() if kept["asked"].get(name) != version):
        notes.append(f"never asked about {len(new)} pins: {', '.join(new)}")
    return flaws, notes


if __name__ == "__main__":
    main()
