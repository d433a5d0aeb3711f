"""Workflows of packs: they come, follow and stay like the rest, and the gates of those that ship hold."""

import copy
import json
import zipfile
from uuid import UUID

import pytest

from apps.bulk import engine as operations
from apps.bulk.models import Item, Operation
from apps.extraction import selectors as records
from apps.extraction import services as record_services
from apps.files import selectors as files
from apps.files import storage
from apps.packs import archive, catalogue, exporting, reading, services
from apps.packs.types import ObjectKind, PackRejected
from apps.workflows import presentation
from apps.workflows import services as workflows
from apps.workflows.models import Choice, Definition, Step
from apps.workflows.types import GateClosed
from tests.accounts.factories import ProjectFactory, actor_of
from tests.extraction.making import demo, priced_model
from tests.packs.factories import installed, pack
from tests.provider.fixtures import provider, running_provider
from tests.workflows.factories import fresh, stage, walked

__all__ = ["demo", "priced_model", "provider", "running_provider"]

pytestmark = pytest.mark.django_db
FEEDING = {
    "document": {"dsl": "1.0.3", "namespace": "zoo", "name": "feeding", "version": "1.0.0", "title": "Feeding"},
    "do": [
        {"look": {"set": "${ . }", **stage("Look")}},
        {"feed": {"set": "${ . }", **stage("Feed", manual=True, requires=[{"records": {"collection": "animals"}}])}},
        {"again": {"run": {"workflow": {"namespace": "zoo", "name": "feeding", "version": "1.0.0"}}}},
    ],
}
WITH = {"workflows": ["feeding"]}
SAID = {"name": "mine", "version": "2.0.0", "title": "Mine", "summary": "What we use.", "licence": "CC0-1.0"}


@pytest.fixture
def me(owner):
    return actor_of(owner)


def zoo(manifest=None, feeding=FEEDING):
    return pack(WITH | (manifest or {}), workflows__feeding=feeding)


def definition(project, name="feeding"):
    return Definition.objects.get(project=project, name=name, deleted_at=None)


def states(run):
    return {each["name"]: each["state"] for each in presentation.stage_map(fresh(run))}


def test_workflow_comes_follows_and_goes(me, project):
    installation = installed(me, project, zoo())
    assert definition(project).number == 1
    newer = copy.deepcopy(FEEDING)
    newer["do"][1]["feed"]["metadata"]["parlance"]["stage"]["title"] = "Give them food"

    _found, report = services.upgrade_pack(
        actor=me, installation_id=installation.pk, pack=zoo({"version": "1.1.0"}, newer)
    )
    assert report.changed == [(ObjectKind.WORKFLOW, "feeding")]
    assert definition(project).number == 2

    report = services.remove_pack(actor=me, installation_id=installation.pk)
    assert (ObjectKind.WORKFLOW, "feeding") in report.removed
    assert not Definition.objects.filter(project=project, deleted_at=None).exists()


def test_workflow_that_runs_stays(me, project):
    installation = installed(me, project, zoo())
    workflows.start_run(actor=me, definition_id=definition(project).pk)

    report = services.remove_pack(actor=me, installation_id=installation.pk, everything=True)

    assert [(each.name, each.reason) for each in report.kept] == [("feeding", "in_use")]
    assert definition(project).number == 1


def test_prefix_reaches_into_gates(me, project):
    installed(me, project, zoo(), prefix="night")

    run = workflows.start_run(actor=me, definition_id=definition(project, "night-feeding").pk)

    with pytest.raises(GateClosed) as closed:
        workflows.advance_stage(actor=me, run_id=walked(run).pk)
    assert "Animals (night)" in closed.value.extra["missing"][0]
    assert run.followed.document["do"][2]["again"]["run"]["workflow"]["name"] == "night-feeding"


def test_export_holds_workflows(me, owner, project):
    installed(me, project, zoo())
    elsewhere = ProjectFactory(owner=owner)

    content = exporting.exported(me, project_id=project.pk, **SAID)
    services.install_pack(actor=me, project_id=elsewhere.pk, pack=reading.read(archive.of_zip(content)))

    assert exporting.exported(me, project_id=elsewhere.pk, **SAID) == content
    assert definition(elsewhere).title == "Feeding"


def test_wrong_workflow_is_named_with_its_place(me, project):
    wrong = copy.deepcopy(FEEDING)
    wrong["do"][1]["feed"]["metadata"]["parlance"]["stage"]["requires"] = [{"records": {"colection": "animals"}}]

    with pytest.raises(PackRejected) as refused:
        zoo(feeding=wrong)

    assert refused.value.fields[0].field.startswith("workflows/feeding.yaml#/do/1/feed")


class Film:
    """The film pack in a project, and a run of its workflow."""

    def __init__(self, me, project):
        installed(me, project, catalogue.get_shipped("film", "en"))
        slugs = ["locations", "characters", "scenes", "shots", "story"]
        self.me, self.there = me, records.collections_by_slug(me, project.pk, slugs)
        self.run = workflows.start_run(actor=me, definition_id=definition(project, "film").pk)

    def make(self, slug, **data):
        return record_services.create_record(actor=self.me, collection_id=self.there[slug].pk, data=data)

    def answer(self, **said):
        choice = Choice.objects.get(run=self.run, status="open")
        workflows.answer_choice(actor=self.me, run_id=self.run.pk, choice_id=choice.pk, **said)
        self.run = walked(self.run)

    def stories(self):
        return [row.data for row in records.list_records(collection=self.there["story"]).filter(deleted_at=None)]

    def advance(self, name):
        workflows.advance_stage(actor=self.me, run_id=self.run.pk, stage=name)
        self.run = walked(self.run)

    def missing(self, name):
        with pytest.raises(GateClosed) as closed:
            workflows.advance_stage(actor=self.me, run_id=self.run.pk, stage=name)
        return closed.value.extra["missing"]


def film_before_its_scenes(me, project):
    film = Film(me, project)
    film.run = walked(film.run)
    film.answer(text="A journalist and the port.")
    for name, age in (("Sarah", 28), ("Tomás", 31)):
        film.make("characters", name=name, age=age, motivation=f"{name} wants to know.")
    film.make("locations", name="Port")
    film.advance("locations")
    film.advance("scenes")
    return film


@pytest.mark.django_db(transaction=True)
def test_ending_of_the_film_is_chosen_from_what_a_model_proposes(me, project, provider, priced_model):
    said = {"difficulty": "low", "time": "a day", "impact": "none", "description": "She writes it all down."}
    options = [{"title": title, "category": "alternative", **said} for title in ("The trial", "The boat")]
    provider.script({"text": json.dumps({"options": options})})
    film = film_before_its_scenes(me, project)

    asked = json.dumps(provider.bodies[-1], ensure_ascii=False)
    assert "How does the film end?\\nA journalist and the port.\\nSarah: Sarah wants to know." in asked
    choice = Choice.objects.get(run=film.run, status="open")
    assert [(each["title"], each["category"]) for each in choice.options] == [
        ("The trial", "recommended"), ("The boat", "alternative"),
    ]  # fmt: skip
    film.answer(option="option-2")
    assert Step.objects.get(run=film.run, path="scenes/do/ending").output["title"] == "The boat"
    assert film.stories() == [
        {
            "logline": "A journalist and the port.",
            "ending": "The boat\n\nShe writes it all down.",
            "ending_from": "chosen from what was proposed",
        }
    ]


@pytest.mark.django_db(transaction=True)
def test_demo_proposes_endings_of_the_film(me, project, demo):
    film = film_before_its_scenes(me, project)

    assert len(Choice.objects.get(run=film.run, status="open").options) == 3


@pytest.mark.django_db(transaction=True)
def test_film_from_concept_to_package_and_one_stage_back(me, project):
    """No model is there: how it ends is asked in words."""
    film = Film(me, project)
    film.run = walked(film.run)
    film.answer(text="A journalist and the port.")
    assert film.missing("scenes") == [
        "No scenes without characters. At least two have to be complete.",
        "At least one location.",
    ]
    film.make("characters", name="Sarah", age=28)
    tomas = film.make("characters", name="Tomás")
    assert film.missing("locations") == ["At least two complete characters."]
    record_services.change_record(actor=me, record_id=tomas.pk, changes={"age": 31})
    film.advance("locations")
    port = film.make("locations", name="Port")
    film.advance("scenes")
    film.answer(text="Nobody ever reads it.")
    ending = {"logline": "A journalist and the port.", "ending": "Nobody ever reads it.", "ending_from": "own words"}
    assert film.stories() == [ending]
    workflows.roll_back(actor=me, run_id=film.run.pk, stage="scenes")
    assert film.stories() == []
    workflows.resume_run(actor=me, run_id=film.run.pk)
    film.run = walked(film.run)
    film.advance("scenes")
    film.answer(text="Everybody reads it.")
    assert film.stories() == [ending | {"ending": "Everybody reads it."}]

    scene = film.make("scenes", number=1, title="The pier", location=str(port.pk))
    assert film.missing("storyboard") == ["No storyboard without scene breakdowns. Every scene needs one."]
    record_services.change_record(actor=me, record_id=scene.pk, changes={"breakdown": "A boat."})
    film.advance("storyboard")
    film.make("shots", number="1A", action="Sarah waits.")
    assert film.missing("package") == ["The storyboard is approved by a manager."]

    workflows.roll_back(actor=me, run_id=film.run.pk, stage="storyboard")
    assert states(film.run)["scenes"] == "current"
    workflows.resume_run(actor=me, run_id=film.run.pk)
    film.run = walked(film.run)
    film.advance("storyboard")
    workflows.approve_stage(actor=me, run_id=film.run.pk, stage="storyboard")
    film.advance("package")
    operations.plan_operation(operation_id=Operation.objects.get().pk)
    operations.run_all()
    film.run = walked(film.run)

    assert film.run.status == "completed"
    assert set(states(film.run).values()) == {"done"}
    file = files.get_file(file_id=UUID(Item.objects.get().result["attachment"]), viewer=me)
    packed = zipfile.ZipFile(storage.location(files.content_of(file).path))
    assert "Everybody reads it." in packed.read("records/story.json").decode()
    assert {"records/characters.json", "records/scenes.csv", "documents/scenes-scene-breakdown.pdf"} <= set(
        packed.namelist()
    )


def test_support_desk_from_triage_to_review(me, project):
    installed(me, project, catalogue.get_shipped("support-desk", "en"))
    there = records.collections_by_slug(me, project.pk, ["tickets"])["tickets"].pk
    run = walked(workflows.start_run(actor=me, definition_id=definition(project, "ticket").pk))
    with pytest.raises(GateClosed) as closed:
        workflows.advance_stage(actor=me, run_id=run.pk)
    assert closed.value.extra["missing"] == ["There is no ticket yet.", "Every ticket needs an urgency."]
    data = {"subject": "The export ends", "urgency": "high"}
    ticket = record_services.create_record(actor=me, collection_id=there, data=data)
    workflows.advance_stage(actor=me, run_id=run.pk, stage="answer")
    run = walked(run)
    record_services.change_record(actor=me, record_id=ticket.pk, changes={"answer": "Mended."})
    with pytest.raises(GateClosed) as closed:
        workflows.advance_stage(actor=me, run_id=run.pk)
    assert closed.value.extra["missing"] == ["A manager has to approve the answers."]
    workflows.approve_stage(actor=me, run_id=run.pk, stage="answer")
    workflows.advance_stage(actor=me, run_id=run.pk)

    assert walked(run).status == "completed"
