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


#: Tables that belong to no organization, or not always to one.
PLATFORM_TABLES: dict[str, str] = {
    "accounts.Erasure": "outlives what it tells of",
    "accounts.Organization": "is the tenant",
    "accounts.User": "a person may belong to several organizations",
    "accounts.UserSession": "a person's, before any organization is chosen",
    "accounts.SignInLink": "a person's, before any organization is chosen",
    "accounts.SignInAttempt": "somebody who is not known yet",
    "accounts.SignInCode": "asked of an attempt, which belongs to somebody who is not known yet",
    "accounts.SignInSignal": "a reason of an attempt, which belongs to somebody who is not known yet",
    "accounts.BlockedNetwork": "the operators' list, for everybody who knocks",
    "accounts.CodeGuess": "a person's, before any organization is chosen",
    "accounts.Device": "a person's, before any organization is chosen",
    "accounts.Pseudonym": "a person's, who may have belonged to several organizations",
    "accounts.AuditEntry": "a plain id, as the log's: entries outlive what they name, and the platform's chain is that of the zero id",
    "bulk.LaneClock": "the time of all tenants in a lane",
    "bulk.SharedResource": "what all tenants take from: a provider's limits",
    "core.Topic": "counts positions; the topic's name holds the id of the tenant's row",
    "core.Event": "the platform announces things too; with an organization the plain id is on the row",
    "core.ConsumerCursor": "one reader's place in the whole log",
    "core.EventDelivery": "one reader's attempts at one event, which names the organization",
    "core.IdempotencyKey": "belongs to a caller, who is a person or a key",
    "core.StoredSetting": "a level names its target: platform, organization, project or person",
    "core.KeyCheck": "whether the installation's key set opens the installation's data",
    "core.MailMessage": "a letter to an address, also before anybody belongs to anything",
    "core.ProcessHeartbeat": "a process of the installation",
    "core.JobTally": "what the installation's own jobs and sweeps did",
    "core.SuspicionCount": "somebody who may not be known, or belong to nobody yet",
}
#: Unique within more than one organization (a constraint's name, or model.field).
UNIQUE_EVERYWHERE: dict[str, str] = {
    "accounts.ApiKey.token_hash": "the token alone finds the key, and with it the organization",
    "accounts.ApiKey.previous_hash": "the token alone finds the key, and with it the organization",
    "accounts.Invitation.token_hash": "the token alone finds the invitation, and with it the organization",
    "accounts.IdentityProvider.slug": "names the provider in the address it sends people back to, before anybody is known",
    "accounts.AuditEntry.event_id": "an event of the log is entered once",
    "conversations.ShareLink.token_hash": "the token alone finds the link, and with it the organization",
    "bulk_item_number": "leads with the operation, which every reader of items asks by",
    "core.Event.insertion": "the identity column that the sequencer orders by",
    "core.Event.position": "one order of the whole log",
    "core_event_topic_position": "a topic's name is unique everywhere",
    "files.Blob.path": "two rows must never share bytes on the disk",
    "llm.BudgetReservation.attempt_id": "an attempt of the ledger reserves once",
    "conversations_message_number": "leads with the conversation, which every reader of a page asks by",
    "conversations_message_client_id": "leads with the conversation, under whose lock it is asked",
}


def our_models():
    ours = {config.label for config in tree.our_apps()}
    return [model for model in apps.get_models() if model._meta.app_label in ours]


def organization_of(model):
    return next((field for field in model._meta.fields if field.attname == "organization_id"), None)


def test_every_table_names_its_organization():
    loose = set()
    for model in our_models():
        organization = organization_of(model)
        if organization is None or organization.null:
            loose.add(model._meta.label)
        elif model._meta.label not in PLATFORM_TABLES:
            assert isinstance(organization, models.ForeignKey), model._meta.label
            assert not organization.editable, f"{model._meta.label}.organization is set once"

        else:
            loose.add(model._meta.label)

    assert loose == PLATFORM_TABLES.keys()


def begins_with(constraint):
    """The column that leads a unique constraint, made of fields or of expressions."""
    if constraint.fields:
        return constraint.fields[0]
    return getattr(constraint.expressions[0], "name", "")


def unique_elsewhere():
    for model in our_models():
        if organization_of(model) is None:
            continue
        named = [each for each in model._meta.constraints if isinstance(each, models.UniqueConstraint)]
        yield from (each.name for each in named if begins_with(each) not in {"organization", "organization_id"})
        assert not model._meta.unique_together, f"{model._meta.label}: a constraint has a name"
        for field in model._meta.fields:
            if field.unique and not field.primary_key and not isinstance(field, models.OneToOneField):
                yield f"{model._meta.label}.{field.name}"


def test_unique_constraints_begin_with_the_organization():
    assert set(unique_elsewhere()) == UNIQUE_EVERYWHERE.keys()


def test_app_with_project_rows_has_organization_rows():
    """A table that names a project names the organization too: the tenant is never derived twice."""
    for model in apps.get_models():
        if model._meta.app_label in {config.label for config in tree.our_apps()} - {"core"}:
            names = {field.attname for field in model._meta.fields}
            assert "project_id" not in names or "organization_id" in names, model._meta.label


@pytest.mark.django_db
def test_migrations_are_complete():
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
