"""Limits, kinds and refusals of templates."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.errors import Conflict, Invalid, LimitReached, Unprocessable

MAX_TEMPLATE = 40_000
MAX_TEMPLATES_A_COLLECTION = 50
#: Of so many records one document is made.
MAX_RENDERED = 1_000


class TemplateFormat(models.TextChoices):
    MARKDOWN = "markdown", "Markdown"
    HTML = "html", "HTML"


class TemplateRejected(Invalid):
    code = "template_rejected"
    title = _("This is no template")
    default_detail = _("This template cannot be used.")


class TemplateFailed(Unprocessable):
    """While it made a document: what it does is too much, or does not fit its records."""

    code = "template_failed"
    title = _("The template made no document")
    default_detail = _("The template could not be carried out.")


class TemplateNameTaken(Conflict):
    code = "template_name_taken"
    default_detail = _("The collection has a template with that name. Choose another.")


class TooManyTemplates(LimitReached):
    code = "too_many_templates"
    default_detail = _("The collection has 50 templates already. Delete one first.")
    limit = "templates"
    most = MAX_TEMPLATES_A_COLLECTION
    reason = "quota"
