"""Apps, files and tables keep to their places."""

from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import models

from tests.architecture import tree

#: Longer for a reason that is written here. The list only shrinks.
LONG_FILES: dict[str, str] = {
    "apps/conversations/services/messages.py": "posting, editing, asking again and continuing share one lock and one answerer",
}
MUSH = {
    "utils.py",
    "util.py",
    "helpers.py",
    "helper.py",
    "common.py",
    "manager.py",
    "managers.py",
    "base_service.py",
    "misc.py",
}


def test_every_app_has_a_floor_and_says_what_it_owns():
    for config in tree.our_apps():
        tree.floor_of(config.label)
        package = tree.parsed(Path(config.path) / "__init__.py")
        documented = package.body and tree.ast.get_docstring(package)
        assert documented, f"{config.name}/__init__.py says nothing"
        assert len(package.body) == 1, f"{config.name}/__init__.py holds code"


def test_every_app_is_in_the_import_contracts():
    layers = next(c for c in tree.import_contracts() if c["type"] == "layers" and c["containers"] == ["apps"])
    listed = {name.strip() for layer in layers["layers"] for name in layer.strip("()").split("|")}
    protected = {
        module for c in tree.import_contracts() if c["type"] == "protected" for module in c["protected_modules"]
    }

    for config in tree.our_apps():
        assert config.label in listed, f"{config.label} is missing in the layers of pyproject.toml"
        if config.models_module is not None and config.label != "core":
            assert f"apps.{config.label}.models" in protected, f"the models of {config.label} are not protected"


def relations():
    for model in apps.get_models():
        if model._meta.app_label in {config.label for config in tree.our_apps()}:
            for field in model._meta.get_fields():
                if isinstance(field, (models.ForeignKey, models.ManyToManyField)):
                    yield model, field


def test_foreign_keys_point_down_and_protect():
    for model, field in relations():
        here, there = model._meta.app_label, field.related_model._meta.app_label
        if here == there or there in {"auth", "contenttypes", "sites"}:
            continue
        assert tree.floor_of(there) < tree.floor_of(here), f"{field} points up"
        if isinstance(field, models.ForeignKey):
            assert field.remote_field.on_delete is models.PROTECT, f"{field} does not PROTECT"
        assert field.remote_field.related_name == "+", f"{field} hangs a name on another app's model"


def test_nothing_points_at_the_event_log_or_the_call_ledger():
    """Both will be partitioned."""
    for _model, field in relations():
        assert field.related_model._meta.label not in {"core.Event", "llm.Call", "llm.CallRecord", "llm.LedgerRow"}


def test_core_keeps_no_foreign_keys():
    assert [str(field) for model, field in relations() if model._meta.app_label == "core"] == []


def test_ideas_have_names():
    assert [tree.named(path) for path in tree.product_files() if path.name in MUSH] == []


@pytest.mark.parametrize("suffix", [".py", ".js", ".css", ".html"])
def test_no_file_is_longer_than_four_hundred_lines(suffix):
    paths = list(tree.product_files(suffix)) if suffix == ".py" else []
    for folder in ("static", "templates"):
        if suffix != ".py":
            paths += [path for path in (tree.ROOT / folder).rglob(f"*{suffix}") if "vendor" not in path.parts]

    long = {tree.named(path) for path in paths if len(path.read_text(encoding="utf-8").splitlines()) > 400}

    assert long <= LONG_FILES.keys(), sorted(long - LONG_FILES.keys())


def test_every_tenant_table_names_its_organization():
    for model in apps.get_models():
        names = {field.name: field for field in model._meta.fields}
        if model._meta.app_label not in {config.label for config in tree.our_apps()} or "organization" not in names:
            continue
        assert not names["organization"].null or model._meta.label in PLATFORM_ROWS, f"{model._meta.label}.organization"


#: Rows that belong to the platform itself when they have no organization.
PLATFORM_ROWS: dict[str, str] = {}


def test_app_with_project_rows_has_organization_rows():
    """A table that names a project names the organization too: the tenant is never derived twice."""
    for model in apps.get_models():
        if model._meta.app_label in {config.label for config in tree.our_apps()} - {"core"}:
            names = {field.attname for field in model._meta.fields}
            assert "project_id" not in names or "organization_id" in names, model._meta.label


@pytest.mark.django_db
def test_migrations_are_complete():
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
