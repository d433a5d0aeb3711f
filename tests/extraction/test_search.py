"""Records in the one search box, for those who see them."""

import pytest

from apps.core.doors.search_sources import SearchQuery
from apps.extraction import selectors, services
from apps.extraction.search import RecordSearch
from tests.accounts.factories import UserFactory, actor_of
from tests.extraction.factories import people, record

pytestmark = pytest.mark.django_db


def test_records_are_found_by_their_words_for_those_who_see_them(me, project):
    collection = people(me, project)
    sarah = record(me, collection, name="Sarah", tags=["journalist", "lisbon"])
    record(me, collection, name="Tomás", tags=["lisbon"])
    gone = record(me, collection, name="Sarah Gone", tags=["lisbon"])
    services.delete_record(actor=me, record_id=gone.pk)

    def found(viewer, text, **narrowed):
        return [hit.title for hit in RecordSearch().search(viewer, SearchQuery(text, **narrowed))]

    assert found(me, "sarah lisbon") == ["Sarah", "Tomás"]
    assert found(me, "tomas") == found(me, "TOMÁS") == ["Tomás"]
    assert found(me, "journal") == ["Sarah"]  # the last word may still be being typed
    assert found(me, "lisbon", limit=1) + found(me, "lisbon", limit=1, offset=1) == ["Tomás", "Sarah"]
    assert found(me, "lisbon", tag="x") == found(me, "porto") == found(actor_of(UserFactory()), "sarah") == []
    record(me, collection, name="Porto", tags=["report.pdf", "INV-1234", "changed_at"])
    assert found(me, "report.pdf") == found(me, "1234") == found(me, "inv-1234") == found(me, "changed_at") == ["Porto"]
    hit = RecordSearch().search(me, SearchQuery("journalist"))[0]
    assert "\ue000journalist\ue001" in hit.snippet
    assert str(sarah.pk) in hit.url


def test_excerpt_of_a_record_shows_no_ids(me, project):
    collection = people(me, project)
    tomas = record(me, collection, name="Tomás", tags=["lisbon"])
    home = record(me, selectors.collections_by_slug(me, project.pk, ["places"])["places"], name="Porto")
    record(me, collection, name="Sarah", age=28, siblings=[str(tomas.pk)], lives_in=str(home.pk), tags=["journalist"])

    hit = RecordSearch().search(me, SearchQuery("sarah"))[0]

    assert sorted(hit.snippet.split(" · ")) == ["28", "journalist", "\ue000Sarah\ue001"]
