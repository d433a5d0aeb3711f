from apps.files import vital_signs
from tests.files.factories import upload


def test_storage_is_healthy_while_two_more_files_fit(settings):
    assert vital_signs.check_storage().is_healthy

    settings.PARLANCE_MAX_FILE_BYTES = 1 << 60

    found = vital_signs.check_storage()
    assert not found.is_healthy
    assert found.detail.endswith(" MB are left for files.")


def test_used_bytes_are_told(owner, project):
    assert list(vital_signs.read_used_bytes()) == [((), 0.0)]

    upload(owner, project, b"12345")

    assert list(vital_signs.read_used_bytes()) == [((), 5.0)]
