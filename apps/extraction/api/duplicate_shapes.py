"""Shapes of the API of duplicates and of joining records."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.api import PageQuery, Serializer
from apps.extraction.api.serializers import AnyObject, RecordOut
from apps.extraction.models import Duplicate, Record, RecordMerge
from apps.extraction.services.records import Taken
from apps.extraction.types import Candidate, OnDuplicate


class CandidateOut(serializers.Serializer):
    """``score`` from 0 to 1; ``by_field`` is what each field says for it (above 0) or against it."""

    record = serializers.UUIDField()
    title = serializers.CharField()
    verdict = serializers.ChoiceField(choices=["same", "ask"])
    score = serializers.FloatField()
    by_field = serializers.DictField(child=serializers.FloatField())

    def to_representation(self, instance: Candidate) -> dict[str, Any]:
        return instance.as_json()


class CandidateListOut(serializers.Serializer):
    results = CandidateOut(many=True)


class OnDuplicateQuery(Serializer):
    on_duplicate = serializers.ChoiceField(
        choices=[each for each in OnDuplicate.choices if each[0] != OnDuplicate.SKIP],
        required=False,
        default=OnDuplicate.LIST.value,
        help_text="When records that may be the same thing are there. list: it is made and both wait for review; ask: it is not made, "
        "and the answer (409) names them; merge: it goes into the one that is surely the same; new: nobody looks.",
    )


class TakenOut(RecordOut):
    duplicates = serializers.SerializerMethodField()

    class Meta(RecordOut.Meta):
        fields = (*RecordOut.Meta.fields, "duplicates")

    def __init__(self, taken: Taken | None = None, **options: Any) -> None:
        super().__init__(taken.record if taken else None, **options)
        self._candidates = taken.candidates if taken else ()

    @extend_schema_field(CandidateOut(many=True))
    def get_duplicates(self, row: Record) -> list[dict[str, Any]]:
        return [each.as_json() for each in self._candidates]


class ShortRecordOut(serializers.ModelSerializer[Record]):
    class Meta:
        model = Record
        fields = ("id", "title", "data", "version")


class DuplicateOut(serializers.ModelSerializer[Duplicate]):
    one = ShortRecordOut()
    other = ShortRecordOut()
    by_field = serializers.DictField(child=serializers.FloatField(), source="fields")

    class Meta:
        model = Duplicate
        fields = ("id", "collection", "project", "one", "other", "score", "by_field", "created_at")


class DuplicateQuery(PageQuery):
    project = serializers.UUIDField(required=False)
    collection = serializers.UUIDField(required=False)


class DuplicatePageOut(serializers.Serializer):
    results = DuplicateOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class MergeIn(Serializer):
    record = serializers.UUIDField(help_text="The record that goes into this one.")
    data = AnyObject(required=False, help_text="Fields of the result, where neither of the two says it right.")


class MergeOut(serializers.ModelSerializer[RecordMerge]):
    before = AnyObject(help_text="Fields of the winner that the joining changed.")
    after = AnyObject()

    class Meta:
        model = RecordMerge
        fields = ("id", "winner", "loser", "before", "after", "merged_by", "created_at", "undone_at", "undone_by")


class MergePageOut(serializers.Serializer):
    results = MergeOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class ApartIn(Serializer):
    record = serializers.UUIDField(help_text="The other record.")
