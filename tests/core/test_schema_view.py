"""The description of the API is made once for each format and language, and read by everybody."""

import json

from drf_spectacular.generators import SchemaGenerator

from config import schema_view


def test_description_is_made_once_for_each_format_and_language(client, db, monkeypatch):
    monkeypatch.setattr(schema_view, "_made", {})
    made, make = [], SchemaGenerator.get_schema

    def counted(*args, **kwargs):
        made.append(kwargs)
        return make(*args, **kwargs)

    monkeypatch.setattr(SchemaGenerator, "get_schema", counted)

    first, second = client.get("/api/schema/"), client.get("/api/schema/")
    assert first.content == second.content
    assert first.content.startswith(b"openapi: 3.")
    assert len(made) == 1
    as_json = client.get("/api/schema/", headers={"accept": "application/vnd.oai.openapi+json"})
    assert json.loads(as_json.content)["openapi"].startswith("3.")
    client.get("/api/schema/?lang=de")
    client.get("/api/schema/?lang=de")
    client.get("/api/schema/?lang=nobody-speaks-it")
    assert len(made) == 3
