"""Run as a process of its own: prints what an installation shows to the outside, as JSON."""

import json
import sys

import django

django.setup()

from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import get_resolver  # noqa: E402
from drf_spectacular.generators import SchemaGenerator  # noqa: E402

from apps.core import coordinator, doors  # noqa: E402
from apps.core.doors import (  # noqa: E402, F401
    bulk_kinds,
    commands,
    consumers,
    erasers,
    exporters,
    file_access,
    first_start,
    given,
    handovers,
    health,
    invariants,
    menu,
    message_cards,
    metrics,
    reference_sources,
    search_sources,
    settings,
    tools,
    topics,
    workflow_functions,
)

browser = Client(HTTP_HOST="localhost")
found = {door.kind: door.names() for door in doors.Door.all}
json.dump(
    {
        "doors": found,
        "sweeps": coordinator.sweeps.names(),
        "page": browser.get("/sample-notes/").status_code,
        "api": browser.get("/api/v1/sample-notes/").status_code,
        "schema": sorted(SchemaGenerator().get_schema(request=None, public=True)["paths"]),
        "metrics": browser.get("/metrics").content.decode(),
        "tables": connection.introspection.table_names(),
        "urls": len(get_resolver().url_patterns),
    },
    sys.stdout,
)
