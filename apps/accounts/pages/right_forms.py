"""Forms of teams, denials, service accounts and handing over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.types import OrganizationRole, Permission
from apps.core import rules
from apps.core.change_forms import ChangeForm
from apps.core.rule_fields import DescriptionField, TextField


class TeamForm(forms.Form):
    name = TextField(rules.NAME, label=_("Name"))
    description = DescriptionField(label=_("What it is about"))


class TeamChangeForm(ChangeForm, TeamForm):
    pass


class _ServiceAccountWords(forms.Form):
    name = TextField(rules.NAME, label=_("Name"), help_text=_("What it writes is signed with it."))
    description = DescriptionField(label=_("What it is about"))


class ServiceAccountDetailsForm(ChangeForm, _ServiceAccountWords):
    pass


class ServiceAccountForm(_ServiceAccountWords):
    role = forms.ChoiceField(
        label=_("Role"),
        choices=[choice for choice in OrganizationRole.choices if choice[0] != OrganizationRole.OWNER],
        initial=OrganizationRole.MEMBER,
    )


class DenialForm(forms.Form):
    whom = forms.ChoiceField(label=_("Whom"))
    where = forms.ChoiceField(label=_("Where"))
    permission = forms.ChoiceField(label=_("What they may not"), choices=Permission.choices)
    reason = TextField(
        rules.TEXT.of(300),
        label=_("Why"),
        help_text=_("Read by those who may deny, not by whom it is about."),
    )
    days = forms.TypedChoiceField(
        label=_("For"),
        coerce=int,
        empty_value=None,
        required=False,
        choices=[("", _("Until it is lifted")), ("1", _("A day")), ("7", _("A week")), ("30", _("30 days"))],
    )

    def __init__(self, *args: Any, people: Any, teams: Any, projects: Any, is_everywhere: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["whom"].choices = [  # type: ignore[attr-defined]
            *((f"team_id:{team.pk}", _("Team: %(name)s") % {"name": team.name}) for team in teams),
            *((f"user_id:{person.pk}", person.display_name) for person in people),
        ]

        self.fields["where"].choices = [  # type: ignore[attr-defined]
            *([("all", _("All projects"))] if is_everywhere else []),
            *((str(project.pk), project.name) for project in projects),
        ]

    @property
    def target(self) -> dict[str, str]:
        kind, _colon, pk = self.cleaned_data["whom"].partition(":")
        return {kind: pk}

    @property
    def expires_at(self) -> datetime | None:
        days = self.cleaned_data["days"]
        return timezone.now() + timedelta(days=days) if days else None


class TransferForm(forms.Form):
    member = forms.ChoiceField(label=_("The new owner"))
    password = forms.CharField(
        label=_("Your password"),
        max_length=200,
        strip=False,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, members: Any = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["member"].choices = [(str(row.pk), row.user.display_name) for row in members]  # type: ignore[attr-defined]


class HeirForm(forms.Form):
    heir = forms.ChoiceField(label=_("Who gets what is handed over"), required=False)

    def __init__(self, *args: Any, heirs: Any, first: Any, **kwargs: Any) -> None:
        """``first`` is who is offered, when they are among the ``heirs``."""
        super().__init__(*args, **kwargs)
        choices = [(str(row.user_id), row.user.display_name) for row in heirs]
        self.fields["heir"].choices = [("", _("An owner of the organization")), *choices]  # type: ignore[attr-defined]
        self.fields["heir"].initial = str(first) if str(first) in dict(choices) else ""
