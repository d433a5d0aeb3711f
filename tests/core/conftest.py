"""A migrated database beside the tests' own, and commands run against it as processes with the two real roles."""

import os
import subprocess
import sys

import pytest

from tests import services
from tests.architecture.tree import ROOT


@pytest.fixture(scope="session")
def database():
    with services.temporary_database(f"sampleapp_{os.getpid()}") as name:
        yield name


@pytest.fixture(scope="session")
def run(database, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    (folder / "static").mkdir()

    def run(*command, extra="", as_owner=False, testing="1", ends_with=0, **more):
        environment = os.environ | {
            "DATABASE_URL": services.app_url(database),
            "DATABASE_OWNER_URL": services.owner_url(database),
            "PARLANCE_DATA_DIR": str(folder),
            "PARLANCE_EXTRA_APPS": extra,
            "PARLANCE_TESTING": testing,
            "PARLANCE_AS_OWNER": "1" if as_owner else "",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PARLANCE_LOG_LEVEL": "ERROR",
            **more,
        }
        found = subprocess.run(
            [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert found.returncode == ends_with, found.stdout + found.stderr
        return found.stdout

    return run
