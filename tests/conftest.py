"""One cluster and one Redis for the run; a database, a Redis prefix and a data folder for each worker."""

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.utils import translation

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests import services

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")

_services = pytest.StashKey[services.Services]()
_data_folder = pytest.StashKey["tempfile.TemporaryDirectory[str]"]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Before pytest-django reads the settings; the controller starts the servers, workers inherit its environment."""
    if not hasattr(config, "workerinput"):
        config.stash[_services] = services.start_services()
        services.export(config.stash[_services])
    folder = tempfile.TemporaryDirectory(prefix=f"parlance-test-{WORKER}-")
    config.stash[_data_folder] = folder
    os.environ["PARLANCE_DATA_DIR"] = folder.name
    (Path(folder.name) / "static").mkdir()  # WhiteNoise warns when there is none
    os.environ["PARLANCE_REDIS_PREFIX"] = f"test-{WORKER}:"
    os.environ["PARLANCE_SECRET_KEY"] = "tests-only"
    os.environ["PARLANCE_TESTING"] = "1"
    os.environ["PARLANCE_DEBUG"] = ""
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    settings.WHITENOISE_AUTOREFRESH = True  # else each test client looks at every static file before its first request
    assert settings.DATABASES  # pytest-django sets Django up only when the settings are already read


def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Workers inherit the environment; with this variable in it pytest-django would read the settings before us."""
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    if folder := config.stash.get(_data_folder, None):
        folder.cleanup()
    if running := config.stash.get(_services, None):
        running.remove()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Migrate before the first test, whose time-out is not meant for that.

    What was imported and collected until now stays: the collector need not walk through it again and again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)  # by default it looks after every 700 objects, which was 6 % of the processor time
    is_worker = hasattr(session.config, "workerinput") or session.config.getoption("dist", "no") == "no"
    if is_worker and any(each.get_closest_marker("django_db") for each in session.items):
        services.migrated_template()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """The test database begins as a copy of one that was migrated for all workers."""
    connection.settings_dict["TEST"]["TEMPLATE"] = services.migrated_template()


@pytest.fixture
def no_redis(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that is not there: the address of a port that nobody listens on. What was noticed of it is forgotten after."""
    for name in (
        "apps.core.limits._away_until",
        "apps.core.jobs._away_until",
        "apps.core.redis._rest_until",
        "apps.live.bells._silent_until",
        "apps.live.seats._silent_until",
    ):
        monkeypatch.setattr(name, 0.0)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def _language() -> Iterator[None]:
    """A request through Django's test client leaves its language in the thread."""
    with translation.override(settings.LANGUAGE_CODE):
        yield
