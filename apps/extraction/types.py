"""What can be wrong with a collection's schema."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.errors import Invalid


class SchemaRejected(Invalid):
    """``fields`` name the places by JSON pointer into the schema document; the root is the empty pointer."""

    code = "schema_rejected"
    title = _("This schema cannot be used")
    default_detail = _("This schema cannot be used.")
