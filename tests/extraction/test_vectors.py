"""What records mean, as vectors of a model somebody chose: kept by a job, one more way to find who may be the same."""

from decimal import Decimal

import pytest
from django.test import Client

from apps.accounts.types import SYSTEM
from apps.core import preferences
from apps.core.doors.settings import Level
from apps.extraction import duplicates, selectors, services, vectorizing
from apps.extraction.meaning import EMBEDDING_MODEL
from apps.extraction.models import Collection, Duplicate, Record, RecordVector
from apps.extraction.similarity import MEANING
from apps.llm import routing
from apps.llm import services as llm
from apps.llm.adapters import vectors
from apps.llm.errors import ProviderProtocolError
from apps.llm.models import CallAttempt, Model
from tests.extraction.factories import record
from tests.llm.factories import stub_model
from tests.provider.fixtures import provider, running_provider

__all__ = ["provider", "running_provider"]
pytestmark = pytest.mark.django_db(transaction=True)

JOBS = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "about": {"type": "string"}},
    "required": ["title"],
}
NEAR = {"physician": [1, 0.1, 0, 0], "doctor": [1, 0.12, 0, 0], "baker": [0, 0, 1, 0]}


@pytest.fixture
def named(me, project, provider):
    """The organization has a provider, and a setting that names a model of it."""
    routing.forget()
    model = stub_model(provider, organization=project.organization)
    provider.default(vectors=NEAR)
    choose(me, project, f"{model.provider.name}/stub-embed")
    return model.provider


def choose(me, project, name):
    preferences.change_setting(
        actor=me,
        key=EMBEDDING_MODEL,
        level=Level.PROJECT,
        target_id=project.pk,
        value=name,
        organization_id=project.organization_id,
    )
    preferences.forget_kept()


def jobs(me, project):
    return services.create_collection(actor=me, project_id=project.pk, name="Jobs", document=JOBS)


def asked(provider):
    return [call["path"] for call in provider.calls]


def test_without_a_model_nothing_is_kept_and_nobody_is_asked(me, project, provider):
    record(me, jobs(me, project), title="Family physician")

    assert services.queue_vectors(actor=SYSTEM) == 0
    assert not services.hint_vectors(actor=SYSTEM)
    assert vectorizing.make_vectors() == 0
    assert (asked(provider), RecordVector.objects.count()) == ([], 0)


def test_those_that_mean_the_same_are_listed_though_no_word_is(me, project, provider, named):
    collection = jobs(me, project)
    physician = record(me, collection, title="Family physician", about="Sees patients")
    doctor = record(me, collection, title="General doctor", about="Sees patients")
    record(me, collection, title="Village baker")
    known = selectors.schema_of(selectors.get_collection(collection_id=collection.pk, viewer=me))
    assert duplicates.find(collection, known, doctor.data, record_id=doctor.pk) == []

    assert services.hint_vectors(actor=SYSTEM)
    assert vectorizing.make_vectors() == 3

    assert asked(provider) == ["/v1/embeddings"], "one call for all three"
    assert provider.bodies[0]["model"] == "stub-embed"
    assert "Family physician" in provider.bodies[0]["input"][0]
    (found,) = duplicates.find(collection, known, doctor.data, record_id=doctor.pk)
    assert (found.record_id, found.by_field[MEANING] > 2) == (physician.pk, True)
    pair = Duplicate.objects.get()
    assert {pair.one_id, pair.other_id} == {physician.pk, doctor.pk}
    assert vectorizing.make_vectors() == 0


def test_calls_are_in_the_ledger_with_their_price_and_budget(me, project, provider, named):
    record(me, jobs(me, project), title="Village baker")
    model = llm.ensure_embedder(
        actor=SYSTEM, organization_id=project.organization_id, reference=f"{named.name}/stub-embed"
    )
    Model.objects.filter(pk=model.pk).update(input_price_per_million_tokens=Decimal(100))
    routing.forget()

    vectorizing.make_vectors()

    row = CallAttempt.objects.get()
    assert (row.purpose, row.status, row.model_name, row.project_id) == ("embed", "completed", "stub-embed", project.pk)
    assert row.cost == Decimal(100) * row.input_tokens / 1_000_000
    assert row.cost > 0
    assert not Model.objects.get(pk=model.pk).is_enabled, "nobody can talk to it"


def test_what_fails_is_tried_again_and_no_other_model_stands_in(me, project, provider, named):
    record(me, jobs(me, project), title="Village baker")
    provider.script({"status": 401})

    assert vectorizing.make_vectors() == 0
    assert vectorizing.make_vectors() == 0, "not at once"
    RecordVector.objects.update(lease_until=None)
    assert vectorizing.make_vectors() == 1

    assert list(CallAttempt.objects.order_by("started_at").values_list("status", "error_code")) == [
        ("failed", "auth"),
        ("completed", ""),
    ]


def test_changed_record_gets_another_vector_and_a_deleted_one_has_none(me, project, provider, named):
    collection = jobs(me, project)
    row = record(me, collection, title="Family physician")
    vectorizing.make_vectors()
    before = RecordVector.objects.get().vector

    services.change_record(actor=me, record_id=row.pk, changes={"title": "Village baker"})
    assert RecordVector.objects.get().is_due
    wanted = services.claim_vectors(actor=SYSTEM)
    services.change_record(actor=me, record_id=row.pk, changes={"about": "Up at four"})
    assert services.keep_vectors(actor=SYSTEM, wanted=wanted, vectors=[[0.0, 1.0]]) == [], (
        "it says something else by now"
    )
    assert vectorizing.make_vectors() == 1
    assert RecordVector.objects.get().vector != before
    services.delete_record(actor=me, record_id=row.pk)

    assert not RecordVector.objects.exists()


def test_records_that_were_there_follow_the_setting(me, project, provider, named):
    choose(me, project, "")
    collection = jobs(me, project)
    for title in ("Village baker", "Family physician"):
        record(me, collection, title=title)
    assert services.queue_vectors(actor=SYSTEM) == 0

    choose(me, project, f"{named.name}/stub-embed")
    assert services.queue_vectors(actor=SYSTEM) == 2
    assert vectorizing.make_vectors() == 2
    choose(me, project, f"{named.name}/other-embed")
    assert services.queue_vectors(actor=SYSTEM) == 2
    assert vectorizing.make_vectors() == 2
    assert set(RecordVector.objects.values_list("model_id", flat=True)) == {Model.objects.get(name="other-embed").pk}
    choose(me, project, "nobody/at-all")
    assert services.queue_vectors(actor=SYSTEM) == 0
    choose(me, project, "")
    services.queue_vectors(actor=SYSTEM)

    assert not RecordVector.objects.exists()
    assert Record.objects.filter(collection=Collection.objects.get()).count() == 2


def test_managers_choose_the_model_on_the_page(owner, project, provider, named):
    client = Client()
    client.force_login(owner)
    shown = client.get("/settings/reading/")
    assert "text-embedding-3-small" in shown.content.decode()

    saved = client.post("/settings/reading/", {"form": "meaning", "model": f"{named.name}/stub-embed"}, follow=True)
    unknown = client.post("/settings/reading/", {"form": "meaning", "model": "nobody/x"}, follow=True)

    assert "Saved." in saved.content.decode()
    assert "there is no provider of that name" in unknown.content.decode()
    assert preferences.get_fresh(EMBEDDING_MODEL, organization=project.organization_id) == "nobody/x"


@pytest.mark.parametrize(
    "said",
    [
        None,
        {"data": []},
        {"data": [{"embedding": [1.0]}, {"embedding": [1.0]}]},
        {"data": [{"embedding": []}]},
        {"data": [{"embedding": [0.0, 0.0]}]},
        {"data": [{"embedding": [float("nan")]}]},
        {"data": [{"embedding": "AAAA"}]},
    ],
)
def test_what_is_no_vector_is_refused(said):
    with pytest.raises(ProviderProtocolError):
        vectors.read(said, 1)
