from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.core import rules
from apps.core.rule_fields import TextField


class ExportForm(forms.Form):
    name = TextField(rules.SLUG.of(40), label=_("Short name"), help_text=_("Small letters, digits and hyphens."))
    title = TextField(rules.NAME.of(80), label=_("Title"))
    summary = TextField(rules.TEXT.of(500), label=_("What it is for"))
    version = TextField(rules.VERSION, label=_("Version"), initial="1.0.0")
    licence = TextField(rules.NAME.of(80), label=_("Licence"), help_text=_("As SPDX writes it, such as CC-BY-4.0."))
