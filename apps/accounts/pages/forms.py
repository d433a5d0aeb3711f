"""Forms of account and settings pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from allauth.account import forms as allauth
from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.core import context as allauth_context
from django import forms
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from apps.accounts.beginnings import list_beginnings
from apps.accounts.models import User
from apps.accounts.policies import SCOPE_FAMILIES
from apps.accounts.services import mailboxes, passwords, people, sign_in_rules
from apps.accounts.types import MailDomainNotAllowed, OrganizationRole, ProjectAccess
from apps.accounts.zones import offered_zones
from apps.core import rules
from apps.core.change_forms import ChangeForm
from apps.core.rule_fields import DescriptionField, MailField, TextField

SCOPE_LABELS = {
    "conversations:read": _("Read conversations, messages and files"),
    "conversations:write": _("Write in conversations"),
    "bulk:read": _("Read bulk operations"),
    "bulk:write": _("Run bulk operations"),
    "workflows:read": _("Read workflows and their runs"),
    "workflows:write": _("Run and define workflows"),
    "records:read": _("Read collections and records"),
    "records:write": _("Write records"),
    "agents:read": _("Read agents"),
    "agents:write": _("Change agents"),
    "models:read": _("See models, prices and usage"),
    "models:use": _("Ask models through /v1"),
    "models:write": _("Change providers, models and budgets"),
    "projects:read": _("Read projects"),
    "projects:write": _("Change projects"),
    "organizations:read": _("Read the organization, its people and keys"),
    "organizations:write": _("Change the organization and its people"),
    "audit:read": _("Read the audit log"),
}


#: What a scope's last word opens of its paths.
SCOPE_METHODS = {"read": "GET", "write": "POST PATCH PUT DELETE", "use": "POST"}

PASSWORD_HINT = _("At least ten characters, no common word, and not your name or address.")


def time_zones() -> list[tuple[str, str]]:
    return [(name, name.replace("_", " ")) for name in sorted(offered_zones())]


class SignInForm(allauth.LoginForm):
    """allauth's; the page has its own link for who forgot the password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].help_text = ""


class SignUpForm(allauth.SignupForm):
    """allauth's, with a name, for where no mail goes out. Who comes by themselves gets an organization of their own."""

    name = TextField(rules.NAME, label=_("Your name"), widget=forms.TextInput(attrs={"autocomplete": "name"}))
    field_order = ["name", "email", "password1"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"].help_text = PASSWORD_HINT

    def clean(self) -> dict[str, Any]:
        """Allauth looks at the password beside the address alone: the name typed above it belongs to the rule as well."""
        cleaned: dict[str, Any] = super().clean()
        if cleaned.get("password1") and "password1" not in self.errors:
            person = User(email=cleaned.get("email", ""), name=cleaned.get("name", ""))
            try:
                validate_password(cleaned["password1"], person)
            except forms.ValidationError as error:
                self.add_error("password1", error)
        return cleaned

    def clean_email(self) -> str:
        """Here, as the answer says whether an address is taken: nobody tries a list of them. ``LimitReached`` (429)."""
        passwords.limit_mail(request=allauth_context.request, name="sign_up")
        email: str = super().clean_email()
        return email

    @transaction.atomic
    def save(self, request: HttpRequest) -> User:
        user = super().save(request)
        people.note_user_created(user=user, how="sign_up")
        people.settle_in(user=user)
        return user


class AskToSignUpForm(forms.Form):
    """Where mail goes out. The password is set by whoever has the mailbox."""

    name = TextField(rules.NAME, label=_("Your name"), widget=forms.TextInput(attrs={"autocomplete": "name"}))
    email = MailField(label=_("E-mail"), widget=forms.EmailInput(attrs={"autocomplete": "email"}))


class ResetForm(allauth.ResetPasswordForm):
    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        passwords.limit_mail(request=request, name="reset", email=self.cleaned_data["email"])
        passwords.mail_link(email=self.cleaned_data["email"], users=self.users)
        return str(self.cleaned_data["email"])


class ChangeEmailForm(allauth.AddEmailForm):
    """allauth takes every address that is not confirmed for one that a change is on its way to, and drops it for the next.

    Whoever signed up and never opened the link would lose the address they sign in with.
    """

    def clean_email(self) -> str:
        email: str = super().clean_email()
        try:
            sign_in_rules.require_mail_domains_of(user_id=self.user.pk, email=email)
        except MailDomainNotAllowed as error:
            raise forms.ValidationError(error.detail, code=error.code) from None
        return email

    @transaction.atomic
    def save(self, request: HttpRequest) -> EmailAddress:
        email = self.cleaned_data["email"]
        passwords.limit_mail(request=request, name="change", email=email, user_id=self.user.pk)
        addresses = EmailAddress.objects.filter(user=self.user, verified=False)
        addresses.exclude(email__iexact=self.user.email).delete()
        people.note_email_change_begun(user=self.user)
        return EmailAddress.objects.add_email(request, self.user, email, confirm=True)


class NewPasswordForm(allauth.ResetPasswordKeyForm):
    @transaction.atomic
    def save(self) -> None:
        mailboxes.clear_unproved(user=self.user, how="password_reset")
        super().save()

    def clean(self) -> dict[str, Any]:
        passwords.require_password_way(user=self.user)
        return super().clean()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name_new_password(self)


class ChangePasswordForm(allauth.ChangePasswordForm):
    def clean_oldpassword(self) -> str:
        """Counted as every other guess: whoever sits at an open session has no more of them here than at the sign-in page."""
        password: str = self.cleaned_data["oldpassword"]
        adapter = get_adapter()
        if not adapter.reauthenticate(self.user, password):
            raise adapter.validation_error("enter_current_password")
        return password

    def clean(self) -> dict[str, Any]:
        passwords.require_password_way(user=self.user)
        return super().clean()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name_new_password(self)
        self.fields["oldpassword"].label = _("The password so far")
        self.fields["oldpassword"].help_text = ""


class SetPasswordForm(allauth.SetPasswordForm):
    def clean(self) -> dict[str, Any]:
        passwords.require_password_way(user=self.user)
        return super().clean()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name_new_password(self)


def name_new_password(form: forms.Form) -> None:
    """Our words. allauth's labels stand in the fields as well, in its own."""
    for field in form.fields.values():
        field.widget.attrs.pop("placeholder", None)
    form.fields["password1"].label = _("New password")
    form.fields["password1"].help_text = PASSWORD_HINT
    form.fields["password2"].label = _("The new password once more")


class NewPersonForm(forms.Form):
    """For the first person, and for somebody who was invited (their address is fixed then)."""

    name = TextField(rules.NAME, label=_("Your name"), widget=forms.TextInput(attrs={"autocomplete": "name"}))
    email = MailField(label=_("E-mail"), widget=forms.EmailInput(attrs={"autocomplete": "email"}))
    password = forms.CharField(
        label=_("Password"),
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=PASSWORD_HINT,
    )

    def __init__(self, *args: Any, fixed_email: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if fixed_email:
            del self.fields["email"]
            self.order_fields(["name", "password"])


class ProfileForm(ChangeForm):
    name = TextField(rules.NAME, label=_("Name"))
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)
    time_zone = forms.ChoiceField(label=_("Time zone"), choices=time_zones)
    theme = forms.ChoiceField(
        label=_("Appearance"),
        choices=[("auto", _("Automatic")), ("light", _("Light")), ("dark", _("Dark"))],
        widget=forms.RadioSelect,
    )
    send_key = forms.ChoiceField(
        label=_("Send with"), choices=[("enter", _("Enter")), ("mod-enter", _("Ctrl+Enter (⌘ Enter)"))]
    )
    single_keys = forms.BooleanField(label=_("Keys without Ctrl, such as ? for the list"), required=False)
    announce = forms.BooleanField(label=_("Read answers aloud to screen readers as they are written"), required=False)


class OrganizationForm(ChangeForm):
    name = TextField(rules.NAME, label=_("Name"))
    time_zone = forms.ChoiceField(label=_("Time zone"), choices=time_zones)


class InviteForm(forms.Form):
    email = MailField(label=_("E-mail"))
    role = forms.ChoiceField(label=_("Role"), choices=OrganizationRole.choices, initial=OrganizationRole.MEMBER)
    project = forms.ChoiceField(label=_("Add to a project"), required=False, help_text=_("Guests see only this one."))

    def __init__(self, *args: Any, projects: Any = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["project"].choices = [  # type: ignore[attr-defined]
            ("", _("None in particular")),
            *((str(project.pk), project.name) for project in projects),
        ]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("role") == OrganizationRole.GUEST and not data.get("project") and "project" not in self.errors:
            self.add_error("project", _("Choose the project that the guest is to see."))
        return data


class ProjectForm(forms.Form):
    name = TextField(rules.NAME, label=_("Name"))
    description = DescriptionField(label=_("What it is about"))
    access = forms.ChoiceField(label=_("Who gets in"), choices=ProjectAccess.choices)


class ProjectChangeForm(ChangeForm, ProjectForm):
    pass


class NewProjectForm(ProjectForm):
    beginning = forms.ChoiceField(label=_("Begins with"), required=False)

    def __init__(self, *args: Any, language: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = list_beginnings(language)
        self.fields["beginning"].choices = [("", _("Nothing")), *offered]  # type: ignore[attr-defined]
        if not offered:
            del self.fields["beginning"]


def _explained(scope: str) -> str:
    """In words, and what it opens of the API."""
    family, _colon, verb = scope.partition(":")
    paths = sorted(path for path, its in SCOPE_FAMILIES.items() if its == family)
    opened = "/v1/" if verb == "use" else "/api/v1/ " + ", ".join(paths)
    return f"{SCOPE_LABELS[scope]} · {scope} · {SCOPE_METHODS[verb]} {opened}"


class KeyForm(forms.Form):
    name = TextField(rules.NAME, label=_("Name"), help_text=_("What will use it?"))
    project = forms.ChoiceField(label=_("Project"), required=False)
    reach = forms.ChoiceField(
        label=_("What it may do"),
        required=False,
        initial="ticked",
        choices=[("ticked", _("Only what is ticked")), ("all", _("All you may do"))],
        widget=forms.RadioSelect,
    )
    scopes = forms.MultipleChoiceField(label=_("Limited to"), required=False, widget=forms.CheckboxSelectMultiple)
    expires_in_days = forms.TypedChoiceField(
        label=_("Good for"),
        coerce=int,
        empty_value=None,
        required=False,
        choices=[("", _("No end")), ("30", _("30 days")), ("90", _("90 days")), ("365", _("A year"))],
    )
    allowed_networks = forms.CharField(
        label=_("Only from these networks"),
        max_length=2000,
        required=False,
        help_text=_("Such as 192.0.2.0/24 or 2001:db8::/32, with spaces between. None: from anywhere."),
    )

    def __init__(self, *args: Any, projects: Any = (), scopes: list[str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["project"].choices = [  # type: ignore[attr-defined]
            ("", _("All projects")),
            *((str(project.pk), project.name) for project in projects),
        ]
        self.fields["scopes"].choices = [(scope, _explained(scope)) for scope in scopes or []]  # type: ignore[attr-defined]
        self.fields["scopes"].initial = [scope for scope in scopes or [] if scope.endswith(":read")]

    def clean(self) -> dict[str, Any]:
        """A key that is limited to nothing may do everything, which nobody means by taking the last tick away."""
        data = super().clean() or {}
        if data.get("reach") == "all":
            data["scopes"] = []
        elif not data.get("scopes") and "scopes" not in self.errors:
            self.add_error("scopes", _("Tick what it may do, or say that it may do all you may do."))
        return data


class KeyChangeForm(ChangeForm, KeyForm):
    """``expires`` keeps the end unless another is chosen."""

    def __init__(self, *args: Any, expires_at: datetime | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["expires_in_days"]
        now = _("Until %(date)s, as now") % {"date": date_format(expires_at, "DATE_FORMAT")} if expires_at else None
        ends = [("30", _("30 days from now")), ("90", _("90 days from now")), ("365", _("A year from now"))]
        choices = [("keep", now or _("No end, as now")), *([("", _("No end"))] if expires_at else []), *ends]
        self.fields["expires"] = forms.ChoiceField(label=_("Good for"), required=False, choices=choices, initial="keep")
        self.order_fields(["name", "project", "reach", "scopes", "expires", "allowed_networks"])

    def new_values(self, expires_at: datetime | None) -> dict[str, Any]:
        """As ``keys.change_api_key`` takes them: what was changed here."""
        data, values = self.changed(), dict[str, Any]()
        if "name" in data:
            values["name"] = data["name"]
        if "project" in data:
            values["project_id"] = UUID(data["project"]) if data["project"] else None
        if {"scopes", "reach"} & data.keys():
            values["scopes"] = self.cleaned_data["scopes"]
        if "allowed_networks" in data:
            values["allowed_networks"] = tuple(data["allowed_networks"].split())
        if "expires" in data:
            values["expires_at"] = self._new_end(expires_at)
        return values

    def _new_end(self, current: datetime | None) -> datetime | None:
        chosen = self.cleaned_data["expires"]
        if chosen == "keep":
            return current
        return timezone.now() + timedelta(days=int(chosen)) if chosen else None


class KeyRenewForm(forms.Form):
    overlap = forms.TypedChoiceField(
        label=_("The secret so far"),
        coerce=int,
        choices=[
            (0, _("ends at once")),
            (1, _("works for another hour")),
            (24, _("works for another day")),
            (7 * 24 - 1, _("works for another week")),
        ],
        initial=24,
    )


class EraseAccountForm(forms.Form):
    """``asks_password``: false for who has none; the page asked for another proof."""

    password = forms.CharField(
        label=_("Your password"),
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, asks_password: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not asks_password:
            del self.fields["password"]
