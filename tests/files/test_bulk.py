"""Files as items: cleaned up where nothing uses them, read again where they gave no text; only one's own."""

import pytest

from apps.bulk import engine, services
from apps.bulk.models import Item, Operation
from apps.core.errors import Invalid
from apps.files.models import File
from tests.accounts.factories import ProjectFactory, actor_of, member_of
from tests.files.factories import upload

pytestmark = pytest.mark.django_db


def run(owner, project, kind, **params):
    operation = services.create_operation(
        actor=actor_of(owner), project_id=project.pk, kind=kind, params=params, start=True
    )
    engine.plan_operation(operation_id=operation.pk)
    engine.run_all()
    return Operation.objects.get(pk=operation.pk)


def test_unused_files_of_ones_own_are_deleted_and_no_others(owner, project):
    unused, used = upload(owner, project, name="a.txt"), upload(owner, project, name="b.txt", content=b"other words")
    File.objects.filter(pk=used.pk).update(attached_at="2026-01-01T00:00:00Z")
    theirs = upload(member_of(project), project, name="c.txt", content=b"their words")
    elsewhere = upload(owner, ProjectFactory(organization=project.organization), name="d.txt", content=b"elsewhere")

    done = run(owner, project, "files.delete_unused")

    assert (done.status, done.succeeded, done.total) == ("completed", 1, 1)
    assert set(File.objects.values_list("pk", flat=True)) == {used.pk, theirs.pk, elsewhere.pk}
    assert Item.objects.get().result == {"freed_bytes": unused.size}


def test_file_that_was_used_since_the_plan_stays(owner, project):
    file = upload(owner, project)
    operation = services.create_operation(
        actor=actor_of(owner), project_id=project.pk, kind="files.delete_unused", start=True
    )
    engine.plan_operation(operation_id=operation.pk)
    File.objects.filter(pk=file.pk).update(attached_at="2026-01-01T00:00:00Z")

    engine.run_all()

    assert (Item.objects.get().status, Item.objects.get().result) == ("skipped", {"skipped": "in_use"})
    assert File.objects.filter(pk=file.pk, deleted_at=None).exists()


def test_documents_without_text_are_read_again(owner, project):
    failed, read = upload(owner, project), upload(owner, project, name="b.txt", content=b"other words")
    File.objects.filter(pk=failed.pk).update(text_state="failed", text_reason="too_slow", is_processed=True, attempts=3)

    done = run(owner, project, "files.read_again", older_than_days=0)

    assert (done.succeeded, done.total) == (1, 1)
    failed.refresh_from_db()
    assert (failed.text_state, failed.is_processed, failed.attempts, failed.text_reason) == ("pending", False, 0, "")
    assert File.objects.get(pk=read.pk).text_state == read.text_state


@pytest.mark.parametrize("params", [{"older_than_days": "x"}, {"older_than_days": -1}, {"all": True}])
def test_parameters_are_checked(owner, project, params):
    with pytest.raises(Invalid):
        run(owner, project, "files.delete_unused", **params)

    assert not Operation.objects.exists()
