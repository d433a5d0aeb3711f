import json
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import connection, models
from django.test.utils import isolate_apps

from apps.core import crypto, key_rotation
from apps.core.crypto import EncryptedTextField, KeysDoNotFit, Sealed
from apps.core.models import KeyCheck
from tests import services

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def keys_file(db, settings, tmp_path):
    KeyCheck.objects.all().delete()  # readiness checks of other tests run in threads and leave theirs
    settings.PARLANCE_KEYS_FILE = str(tmp_path / "data" / "keys.json")
    return tmp_path / "data" / "keys.json"


@pytest.fixture
def holder():
    """A table with a secret, for this test only."""
    with isolate_apps():

        class Holder(models.Model):
            name = models.CharField(max_length=20)
            secret = EncryptedTextField(blank=True)

            class Meta:
                app_label = "core"

    with connection.schema_editor() as editor:
        editor.create_model(Holder)
    return Holder


def column(holder, pk):
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM core_holder WHERE id = %s", [pk])
        return cursor.fetchone()[0]


def test_key_file_is_made_once_for_its_owner_only(keys_file):
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(crypto.key_set().current)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == ["k1"] * 8
    assert keys_file.stat().st_mode & 0o777 == 0o600
    assert list(keys_file.parent.iterdir()) == [keys_file]


def test_secret_is_sealed_in_the_table_and_opens_through_its_row(holder):
    row = holder.objects.create(pk=7, name="a", secret="pa55")

    stored = column(holder, 7)

    assert stored.startswith("v1:k1:")
    assert "pa55" not in stored
    assert row.secret == "pa55"
    assert holder.objects.get(pk=7).secret == "pa55"


def test_queries_never_give_the_secret_in_clear(holder):
    holder.objects.create(pk=7, name="a", secret="pa55")

    found = holder.objects.values_list("secret", flat=True)[0]

    assert isinstance(found, Sealed)
    assert "pa55" not in repr(found)
    assert "pa55" not in repr(holder.objects.values("secret")[0])


def test_secret_copied_to_another_row_does_not_open(holder):
    holder.objects.create(pk=7, name="a", secret="pa55")
    holder.objects.create(pk=8, name="b", secret="other")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE core_holder SET secret = (SELECT secret FROM core_holder WHERE id = 7) WHERE id = 8")

    with pytest.raises(KeysDoNotFit):
        _ = holder.objects.get(pk=8).secret


def test_changed_byte_does_not_open():
    sealed = crypto.seal("pa55", bound_to="x")

    with pytest.raises(KeysDoNotFit):
        crypto.unseal(sealed[:-3] + ("A" if sealed[-3] != "A" else "B") + sealed[-2:], bound_to="x")


def test_saving_a_row_without_touching_the_secret_keeps_it(holder):
    holder.objects.create(pk=7, name="a", secret="pa55")
    before = column(holder, 7)
    row = holder.objects.get(pk=7)
    row.name = "b"
    row.save()

    assert column(holder, 7) == before


def test_empty_secret_stays_empty_and_update_by_query_is_refused(holder):
    holder.objects.create(pk=7, name="a")

    assert column(holder, 7) == ""
    with pytest.raises(TypeError):
        holder.objects.update(secret="pa55")
    with pytest.raises(TypeError):
        holder.objects.filter(secret="pa55").exists()


def test_rotation_seals_every_row_with_the_new_key(holder):
    for number in range(5):
        holder.objects.create(pk=number, name="a", secret=f"secret {number}")
    crypto.add_key()
    field = holder._meta.get_field("secret")

    assert key_rotation.reseal(holder, field) == 5
    assert key_rotation.reseal(holder, field) == 0

    assert {crypto.key_of(column(holder, number)) for number in range(5)} == {"k2"}
    assert [holder.objects.get(pk=number).secret for number in range(5)] == [f"secret {n}" for n in range(5)]


def test_rotation_command_adds_a_key_and_retires_the_old_one(keys_file):
    key_rotation.check_keys()

    assert key_rotation.rotate()[0] == "k2"
    assert key_rotation.retire() == {"k1"}

    assert list(json.loads(keys_file.read_text())["keys"]) == ["k2"]
    assert list(KeyCheck.objects.values_list("key_id", flat=True)) == ["k2"]
    key_rotation.check_keys()


def test_no_key_is_retired_while_somebody_may_still_commit_what_it_sealed(keys_file, monkeypatch):
    key_rotation.check_keys()
    key_rotation.rotate()
    monkeypatch.setattr(key_rotation, "PATIENCE_SECONDS", 0.3)

    with psycopg.connect(services.owner_url(connection.settings_dict["NAME"])) as other:
        other.execute("SELECT 1")  # its transaction goes on
        assert key_rotation.retire() == set()

    monkeypatch.setattr(key_rotation, "PATIENCE_SECONDS", 30)
    assert key_rotation.retire() == {"k1"}


def test_key_file_of_another_installation_is_noticed(keys_file):
    key_rotation.check_keys()
    keys_file.unlink()

    with pytest.raises(KeysDoNotFit):
        key_rotation.check_keys()


def test_two_who_rotate_at_once_lose_no_key(keys_file):
    crypto.key_set()

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _number: crypto.add_key(), range(16)))

    assert len(set(made)) == 16
    assert set(json.loads(keys_file.read_text())["keys"]) == {"k1", *made}


def test_who_has_lost_the_key_file_goes_on_without_what_it_sealed(keys_file, holder):
    holder.objects.create(pk=1, name="a", secret="lost")
    key_rotation.check_keys()
    keys_file.unlink()
    with pytest.raises(KeysDoNotFit):
        key_rotation.check_keys()

    assert key_rotation.accept_loss() == ["k1"]
    assert key_rotation.accept_loss() == []

    key_rotation.check_keys()
    with pytest.raises(KeysDoNotFit):
        str(holder.objects.get(pk=1).secret)
    holder.objects.filter(pk=1).delete()
    holder.objects.create(pk=1, name="a", secret="entered anew")
    assert holder.objects.get(pk=1).secret == "entered anew"
