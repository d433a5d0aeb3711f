import pytest


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    """What is uploaded lies in the test's own folder."""
    settings.MEDIA_ROOT = tmp_path / "files"
