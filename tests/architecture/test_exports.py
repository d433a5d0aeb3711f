"""Every table of records and operations leaves with an export of the project, or a reason says why not."""

import pytest
from django.apps import apps

from apps.core.doors.exporters import exporters

DERIVED = "made of the records themselves, and made anew where they come"
INSIDE = "inside the rows that it belongs to"

#: The kind of an export that holds the rows of a table. In words: why none does.
LEAVES = {
    "bulk.Item": "downloaded from the operation: a million rows of what is in the records",
    "bulk.LaneClock": "a clock of the platform: the time in a lane",
    "bulk.Operation": "bulk_operations",
    "bulk.Share": "a clock of the platform: whom it served how much",
    "bulk.SharedResource": "a clock of the platform: what a provider still gives",
    "extraction.Collection": "collections",
    "extraction.CollectionReader": INSIDE,
    "extraction.CollectionSchema": INSIDE,
    "extraction.Duplicate": "possible_duplicates",
    "extraction.ExtractionPart": "what a reading has that is not done; at its end they are suggestions",
    "extraction.ExtractionRun": "extractions",
    "extraction.FieldSource": "field_sources",
    "extraction.FollowUp": "follow_ups",
    "extraction.Proposal": "proposals",
    "extraction.Record": "records",
    "extraction.RecordBlock": DERIVED,
    "extraction.RecordComment": "record_comments",
    "extraction.RecordKey": DERIVED,
    "extraction.RecordLink": "record_links",
    "extraction.RecordMerge": "record_merges",
    "extraction.RecordRevision": "record_revisions",
    "extraction.RecordTally": DERIVED,
    "extraction.RecordTemplate": "record_templates",
    "extraction.RecordVector": DERIVED,
    "extraction.RecordView": "record_views",
    "extraction.TargetChange": DERIVED,
    "extraction.TemplateRevision": INSIDE,
    "extraction.Wish": "wishes",
    "packs.InstalledObject": INSIDE,
    "packs.PackInstallation": "installed_packs",
    "workflows.Approval": INSIDE,
    "workflows.Choice": INSIDE,
    "workflows.ChoiceAnswer": INSIDE,
    "workflows.Definition": "workflows",
    "workflows.DefinitionVersion": INSIDE,
    "workflows.Run": "workflow_runs",
    "workflows.Secret": "credentials: nothing gives them out again",
    "workflows.Start": INSIDE,
    "workflows.Step": INSIDE,
}


@pytest.mark.parametrize("app", ["bulk", "extraction", "packs", "workflows"])
def test_every_table_leaves_or_says_why_not(app):
    models = {model._meta.label for model in apps.get_app_config(app).get_models()}
    spoken = {label: said for label, said in LEAVES.items() if label.startswith(f"{app}.")}

    assert sorted(models) == sorted(spoken)
    assert [said for said in spoken.values() if " " not in said and said not in exporters.names()] == []
