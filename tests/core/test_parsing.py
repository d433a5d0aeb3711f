"""Input shapes are kept between requests: nothing of one request may show in the next."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.utils import translation
from rest_framework import serializers

from apps.core.api import Serializer
from apps.core.errors import Invalid


class PointIn(Serializer):
    x = serializers.IntegerField(max_value=100)
    label = serializers.CharField(required=False, default="none")


class ShapeIn(Serializer):
    name = serializers.CharField(max_length=10)
    points = PointIn(many=True, required=False)
    tags = serializers.ListField(child=serializers.CharField(), default=list)


def refused(data):
    with pytest.raises(Invalid) as caught:
        ShapeIn.parse_data(data)
    return [(field.field, field.code, field.detail) for field in caught.value.fields]


def test_each_call_has_its_own_values():
    first = ShapeIn.parse_data({"name": "a", "points": [{"x": 1}]})
    first["tags"].append("mine")
    first["points"][0]["label"] = "changed"

    assert ShapeIn.parse_data({"name": "b", "points": [{"x": "2"}]}) == {
        "name": "b",
        "points": [{"x": 2, "label": "none"}],
        "tags": [],
    }


def test_refusals_name_their_own_fields_in_the_language_of_the_caller():
    with translation.override("de"):
        german = refused({"name": "a", "points": [{"x": 1}, {"x": 101}]})
    english = refused({"name": "a" * 11, "colour": "red"})
    again = refused({"points": [{}]})

    assert [field[:2] for field in german] == [("points.1.x", "max_value")]
    assert german[0][2] != refused({"name": "a", "points": [{"x": 1}, {"x": 101}]})[0][2]
    assert [field[:2] for field in english] == [("colour", "unknown_field")]
    assert sorted(field[:2] for field in again) == [("name", "required"), ("points.0.x", "required")]


def test_threads_do_not_meet():
    def parse(number):
        return ShapeIn.parse_data({"name": str(number), "points": [{"x": number % 100}] * 5, "tags": [str(number)]})

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(parse, range(400)))

    assert found == [
        {"name": str(number), "points": [{"x": number % 100, "label": "none"}] * 5, "tags": [str(number)]}
        for number in range(400)
    ]
