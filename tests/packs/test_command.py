"""``manage.py install_pack``."""

import io

import pytest
from django.core.management import CommandError, call_command

from apps.extraction.models import Collection
from apps.packs.models import PackInstallation
from tests.packs.factories import files, zipped

pytestmark = pytest.mark.django_db


def said(*arguments, **options):
    out = io.StringIO()
    call_command("install_pack", *arguments, stdout=out, **options)
    return out.getvalue().splitlines()


@pytest.fixture
def folder(tmp_path):
    for name, content in files().items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_by_name_folder_and_archive(project, folder, tmp_path_factory):
    assert said("film", project=project.pk)[-1] == "film 1.3.0 is installed."
    assert "made collection animals" in said(str(folder), project=project.pk)
    file = tmp_path_factory.mktemp("more") / "zoo.zip"
    file.write_bytes(zipped(files({"version": "1.1.0"}, templates__sign="# New\n")))
    assert said(str(file), project=project.pk, upgrade=True) == [
        "changed template animals/Sign",
        "zoo 1.1.0 is installed.",
    ]
    assert PackInstallation.objects.filter(project=project).count() == 2


def test_check_installs_nothing(folder):
    assert said(str(folder), check=True) == ["zoo 1.0.0: 4 things, nothing wrong"]
    (folder / "collections" / "animals.yaml").write_text("name: [")

    with pytest.raises(CommandError, match=r"collections/animals.yaml: Line 1"):
        said(str(folder), check=True)

    assert not Collection.objects.exists()


def test_what_is_asked_for_wrongly_is_said(project, folder):
    with pytest.raises(CommandError, match="--project"):
        said("film")
    with pytest.raises(CommandError, match="not installed there"):
        said("film", project=project.pk, upgrade=True)
    with pytest.raises(CommandError):
        said("nothing", project=project.pk)
