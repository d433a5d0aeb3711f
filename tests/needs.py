"""Programs that tests need beside Python. What is missing fails in one sentence: a proof that is left out proves nothing."""

import re
import shutil
import subprocess

import pytest

NODE = 20


def node() -> str:
    """The path of Node."""
    found = shutil.which("node")
    if found is None or shutil.which("npm") is None or node_version(found) < NODE:
        pytest.fail(f"Node {NODE} or newer with npm is not installed here: apt-get install nodejs npm.", pytrace=False)
    return found


def node_version(found: str) -> int:
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    version = re.match(r"v(\d+)", said)
    return int(version[1]) if version else 0
