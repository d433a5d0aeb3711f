"""The mails of this app, each in its receiver's language."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from apps.accounts.models import Invitation, Organization, SignInAttempt, User
from apps.accounts.types import RiskSignal
from apps.accounts.words import device_words, reason_words
from apps.core.letters import Letter, queue_letter


def send_link(*, user: User, token: str) -> None:
    with translation.override(user.language):
        letter = Letter(
            subject=_("Your link to sign in to Parlance"),
            greeting=_hello(user),
            lead=_("this link signs you in. It is good once, for a day."),
            label=_("Sign in"),
            link=settings.PARLANCE_URL + reverse("accounts:link", args=[token]),
            closing=[_("You did not ask for it? Then do nothing, and tell who runs this installation.")],
        )
        queue_letter(recipient=user.email, letter=letter)


def send_invitation(*, invitation: Invitation, link: str) -> None:
    """In the language of whoever has this address already, else of who invites."""
    inviter = invitation.invited_by
    invited = User.objects.filter(email__iexact=invitation.email).first()
    names = {"name": inviter.display_name, "organization": invitation.organization.name}
    with translation.override((invited or inviter).language):
        letter = Letter(
            subject=_("%(name)s invites you to %(organization)s") % names,
            greeting=_("Hello,"),
            lead=_("%(name)s invites you to talk with people and models in %(organization)s.") % names,
            label=_("Join"),
            link=link,
            closing=[
                _("The link is good once, for a week."),
                _("You do not know what this is about? Then do nothing."),
            ],
        )
        queue_letter(recipient=invitation.email, letter=letter)


def send_reset(*, user: User, recipient: str, link: str) -> None:
    with translation.override(user.language):
        letter = Letter(
            subject=_("A new password for Parlance"),
            greeting=_hello(user),
            lead=_(
                "somebody, probably you, asked for a new password. This link sets it. It is good once, for three hours."
            ),
            label=_("Set a new password"),
            link=link,
            closing=[_("You did not ask for it? Then do nothing: the password stays as it is.")],
        )
        queue_letter(recipient=recipient, letter=letter)


def send_confirmation(*, user: User, recipient: str, link: str) -> None:
    with translation.override(user.language):
        letter = Letter(
            subject=_("Confirm your e-mail address for Parlance"),
            greeting=_hello(user),
            lead=_("this link confirms that this e-mail address belongs to your account. It is good for three days."),
            label=_("Confirm the address"),
            link=link,
            closing=[_("You do not know what this is about? Then do nothing.")],
        )
        queue_letter(recipient=recipient, letter=letter)


def send_sign_up(*, recipient: str, link: str, language: str) -> None:
    """Without the name that was typed: nobody writes to a stranger through us."""
    with translation.override(language):
        letter = Letter(
            subject=_("Make your account at Parlance"),
            greeting=_("Hello,"),
            lead=_("somebody, probably you, wants to make an account with this e-mail address. This link makes it."),
            label=_("Make the account"),
            link=link,
            closing=[
                _("It is good for a day. You do not know what this is about? Then do nothing: there is no account.")
            ],
        )
        queue_letter(recipient=recipient, letter=letter)


def send_known(*, user: User) -> None:
    """To the sign-in page, which has every way in: not everybody has a password."""
    with translation.override(user.language):
        letter = Letter(
            subject=_("You have an account at Parlance"),
            greeting=_hello(user),
            lead=_(
                "somebody, probably you, wanted to make an account with this e-mail address. There is one already: sign in as you always do. The page helps who forgot a password."
            ),
            label=_("Sign in"),
            link=settings.PARLANCE_URL + reverse("account_login"),
            closing=[_("It was not you? Then do nothing: nothing has changed, and whoever it was heard nothing.")],
        )
        queue_letter(recipient=user.email, letter=letter)


def send_code(*, user: User, attempt: SignInAttempt, code: str) -> None:
    with translation.override(user.language):
        letter = Letter(
            subject=_("Your code to sign in to Parlance"),
            greeting=_hello(user),
            lead=_(
                "somebody who knows your password is signing in, in a way that is unusual for you. If it is you, type this code. It is good once, for ten minutes."
            ),
            facts=_facts(user, attempt),
            code=code,
            closing=[
                _("It is not you? Then tell the code to nobody, and set a new password now."),
                settings.PARLANCE_URL + reverse("account_reset_password"),
            ],
        )
        queue_letter(recipient=user.email, letter=letter)


def send_proof_code(*, user: User, code: str) -> None:
    with translation.override(user.language):
        letter = Letter(
            subject=_("Your code for Parlance"),
            greeting=_hello(user),
            lead=_(
                "you are about to change something that only you may change. Type this code to show that it is you."
            ),
            code=code,
            closing=[
                _("It is good once, for ten minutes."),
                _("It is not you? Then tell the code to nobody, and end your other sessions:"),
                settings.PARLANCE_URL + reverse("accounts:settings_sessions"),
            ],
        )
        queue_letter(recipient=user.email, letter=letter)


def send_way_in(*, user: User, what: str, is_added: bool) -> None:
    """A factor, a passkey or an identity was added or removed: whoever did it, the owner hears of it."""
    with translation.override(user.language):
        names = {"what": what}
        subject = (
            _("A way into your account was added: %(what)s")
            if is_added
            else _("A way into your account was removed: %(what)s")
        )
        lead = (
            _("%(what)s proves from now on that it is you who signs in to Parlance.")
            if is_added
            else _("%(what)s no longer proves that it is you who signs in to Parlance.")
        )
        letter = Letter(
            subject=subject % names,
            greeting=_hello(user),
            lead=lead % names,
            label=_("See how you sign in"),
            link=settings.PARLANCE_URL + reverse("accounts:settings_security"),
            closing=[
                _(
                    "It was you? Then there is nothing to do. It was not? Set a new password and end your other sessions at once."
                )
            ],
        )
        queue_letter(recipient=user.email, letter=letter)


def send_address_change_begun(*, user: User) -> None:
    """To the address so far: from a session that somebody left open, a link to another mailbox is all it takes."""
    with translation.override(user.language):
        letter = Letter(
            subject=_("Your account at Parlance is to have another e-mail address"),
            greeting=_hello(user),
            lead=_(
                "somebody who is signed in to your account asked for another e-mail address. It changes as soon as the link that went there is opened."
            ),
            label=_("Set a new password"),
            link=settings.PARLANCE_URL + reverse("account_reset_password"),
            closing=[
                _("It was you? Then there is nothing to do."),
                _("It was not? Set a new password now: the change ends with it, and so do all sessions."),
            ],
        )
        queue_letter(recipient=user.email, letter=letter)


def send_address_changed(*, user: User, recipient: str) -> None:
    """To the address so far: the new one has confirmed itself already."""
    with translation.override(user.language):
        letter = Letter(
            subject=_("Your e-mail address at Parlance was changed"),
            greeting=_hello(user),
            lead=_("this is no longer the address of your account at Parlance. You sign in with the new one."),
            closing=[_("It was not you? Then tell who runs this installation at once.")],
        )
        queue_letter(recipient=recipient, letter=letter)


def send_proved(*, user: User, put_away: Sequence[str], shared: Sequence[str]) -> None:
    """After everything that was set up before the address was confirmed has ended. Names of organizations: those that were ``put_away``
    and those that the person shares with others.
    """
    with translation.override(user.language):
        letter = Letter(
            subject=_("Your account at Parlance is yours alone now"),
            greeting=_hello(user),
            lead=_(
                "this e-mail address has been confirmed for the first time. Whoever made the account only typed it: all sessions, API keys, second factors, passkeys and connected accounts from before have ended."
            ),
            label=_("Set up how you sign in"),
            link=settings.PARLANCE_URL + reverse("accounts:settings_security"),
            closing=[
                *[_put_away_words(name) for name in put_away],
                *[_shared_words(name) for name in shared],
                _("You made the account? Then set up again what you need."),
            ],
        )
        queue_letter(recipient=user.email, letter=letter)


def _put_away_words(name: str) -> str:
    return _(
        "The organization “%(name)s”, which nobody else was in, is put away with all that is in it. If it was yours, whoever runs this installation can give it back."
    ) % {"name": name}


def _shared_words(name: str) -> str:
    return _(
        "The account belongs to the organization “%(name)s”, too. Workflows that ran there in your name are cancelled, and what began them is paused. Look at who is in it and which providers answer there before you write anything, or leave it."
    ) % {"name": name}


def send_password_changed(*, user: User) -> None:
    with translation.override(user.language):
        letter = Letter(
            subject=_("Your password for Parlance was changed"),
            greeting=_hello(user),
            lead=_("your account has a new password. All sessions but the one that changed it have ended."),
            label=_("Set another password"),
            link=settings.PARLANCE_URL + reverse("account_reset_password"),
            closing=[_("It was you? Then there is nothing to do. It was not? Set another one at once.")],
        )
        queue_letter(recipient=user.email, letter=letter)


def send_alert(*, user: User, attempt: SignInAttempt) -> None:
    with translation.override(user.language):
        letter = Letter(
            subject=_("A new sign-in to your account at Parlance"),
            greeting=_hello(user),
            lead=_("somebody signed in to your account from a device or network that was not used for it before."),
            facts=_facts(user, attempt),
            label=_("See where you are signed in"),
            link=settings.PARLANCE_URL + reverse("accounts:settings_sessions"),
            closing=[
                _("It was you? Then there is nothing to do. It was not? End that session and set a new password.")
            ],
        )
        queue_letter(recipient=user.email, letter=letter)


def send_refusal(*, user: User, attempt: SignInAttempt, signals: Sequence[RiskSignal]) -> None:
    with translation.override(user.language):
        reasons = [reason_words(signal) for signal in signals]
        letter = Letter(
            subject=_("A sign-in to your account at Parlance was refused"),
            greeting=_hello(user),
            lead=_("somebody who knows your password tried to sign in, and it looked like an attack. Nobody got in."),
            facts=[*_facts(user, attempt), (_("Why"), ", ".join(reasons))],
            label=_("Set a new password"),
            link=settings.PARLANCE_URL + reverse("account_reset_password"),
            closing=[
                _(
                    "It was you? Sign in from a device or network you have used before, or ask an operator for a sign-in link."
                )
            ],
        )
        queue_letter(recipient=user.email, letter=letter)


def send_ownership(*, user: User, organization: Organization, owner: User, former: User) -> None:
    names = {"former": former.display_name, "owner": owner.display_name, "organization": organization.name}
    with translation.override(user.language):
        letter = Letter(
            subject=_("%(organization)s has a new owner") % names,
            greeting=_hello(user),
            lead=_(
                "%(former)s has handed over %(organization)s: %(owner)s owns it now, and %(former)s is an admin of it. Both of you sign in again."
            )
            % names,
            closing=[_("Is this a surprise? Then tell who runs this installation.")],
        )
        queue_letter(recipient=user.email, letter=letter)


def send_belongings(*, user: User, organization: Organization, former: User) -> None:
    names = {"former": former.display_name, "organization": organization.name}
    with translation.override(user.language):
        letter = Letter(
            subject=_("What %(former)s leaves in %(organization)s is yours now") % names,
            greeting=_hello(user),
            lead=_(
                "%(former)s no longer works in %(organization)s. Projects that only they managed, and their conversations that others see, have been handed over to you."
            )
            % names,
            label=_("Open Parlance"),
            link=settings.PARLANCE_URL + "/",
            closing=[_("Is this a surprise? Then talk with an owner of the organization.")],
        )
        queue_letter(recipient=user.email, letter=letter)


def _hello(user: User) -> str:
    return _("Hello %(name)s,") % {"name": user.display_name}


def _facts(user: User, attempt: SignInAttempt) -> list[tuple[str, str]]:
    when = attempt.created_at.astimezone(ZoneInfo(user.time_zone))
    return [
        (_("When"), f"{date_format(when, 'DATETIME_FORMAT')} ({user.time_zone})"),
        (_("Device"), device_words(attempt.user_agent)),
        (_("Address"), " · ".join(filter(None, [attempt.address, attempt.country])) or _("unknown")),
    ]
