from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "apps.accounts"
    label = "accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        from apps.accounts import (
            audit,
            events,
            founding,
            invariants,
            mailbox_events,
            metrics,
            quotas,
            receivers,
            right_events,
            rules,
            second_factor,
            subject_finders,
        )
        from apps.accounts.erasing_selectors import list_half_erased
        from apps.accounts.refusals import note_refusal
        from apps.accounts.rights import manages_organization, manages_service_accounts, may_deny_somewhere
        from apps.accounts.selectors import reads_some_audit
        from apps.accounts.services import attempts, devices, personal, second_factors, sessions
        from apps.accounts.sessions import clear_expired
        from apps.accounts.setting_rights import may_change
        from apps.core import preferences
        from apps.core.api import on_refusal
        from apps.core.coordinator import register_lost_hints, register_sweep
        from apps.core.doors.consumers import Consumer, consumers
        from apps.core.doors.menu import Group, MenuEntry, menu
        from apps.core.doors.sealed import SealedPlace, sealed_places
        from apps.core.doors.subject_names import SubjectName, subject_names

        assert events
        assert mailbox_events
        assert right_events
        assert receivers
        preferences.ask_rights_of(may_change)  # type: ignore[arg-type]
        on_refusal(note_refusal)
        founding.register()
        invariants.register()
        metrics.register()
        personal.register()
        quotas.register()
        consumers.register(
            "accounts.audit",
            Consumer(
                "accounts.audit", audit.record, types=audit.AUDITED, prefixes=audit.AUDITED_PREFIXES, with_refusals=True
            ),
        )
        sealed_places.register(
            "accounts.second_factors", SealedPlace(second_factor.count_sealed_with_old_keys, second_factor.reseal)
        )
        for subject_type, find_name in subject_finders.NAMES.items():
            subject_names.register(subject_type, SubjectName(subject_type, find_name))
        for setting in rules.SETTINGS:
            preferences.register(setting)
        consumers.register(
            "accounts.sign_in_rules",
            Consumer("accounts.sign_in_rules", receivers.follow_settings, types=frozenset({"core.setting_changed"})),
        )
        register_lost_hints("accounts.erase_organization", list_half_erased, every_seconds=10)
        for name, sweep in {
            "codes that were tried": second_factors.forget_old,
            "heads of the audit log": audit.write_heads,
            "old sessions and links": sessions.forget_old,
            "expired sessions of browsers": clear_expired,
            "old sign-in attempts": attempts.forget_old_attempts,
            "unused devices": devices.forget_unused_devices,
        }.items():
            register_sweep(name, 3600, sweep)

        pages = [
            ("profile", _("Your profile"), "user-round"),
            ("security", _("Signing in"), "fingerprint"),
            ("sessions", _("Sessions and devices"), "monitor"),
            ("activity", _("Sign-in activity"), "scan-search"),
            ("organization", _("Organization"), "settings-2"),
            ("sign_in", _("Rules for signing in"), "lock-keyhole"),
            ("people", _("People and roles"), "user-plus"),
            ("projects", _("Projects"), "folder"),
            ("keys", _("API keys"), "key-round"),
            ("teams", _("Teams"), "layers"),
            ("limits", _("Limits"), "timer"),
        ]
        shown = {"sign_in": manages_organization}
        own = {"profile", "security", "sessions", "activity", "keys"}
        elsewhere: dict[str, Group] = {"projects": "projects", "limits": "operations"}
        for order, (name, label, icon) in enumerate(pages, start=1):
            url, is_shown = f"accounts:settings_{name}", shown.get(name)
            group = "you" if name in own else elsewhere.get(name, "organization")
            entry = MenuEntry(label, url, icon, place="settings", order=order * 10, is_shown=is_shown, group=group)
            menu.register(f"settings_{name}", entry)
        for order, (name, label, icon, is_shown) in enumerate(
            [
                ("denials", _("Denials"), "square-slash", may_deny_somewhere),
                ("service_accounts", _("Service accounts"), "server", manages_service_accounts),
            ]
        ):
            url = f"accounts:settings_{name}"
            entry = MenuEntry(
                label, url, icon, place="settings", order=91 + order, is_shown=is_shown, group="organization"
            )
            menu.register(f"settings_{name}", entry)
        log = MenuEntry(
            _("Audit log"),
            "accounts:settings_audit",
            "lock-keyhole",
            place="settings",
            order=95,
            is_shown=reads_some_audit,
            group="organization",
        )
        menu.register("settings_audit", log)
        access = MenuEntry(
            _("Access review"),
            "accounts:settings_access",
            "scan-search",
            place="settings",
            order=94,
            is_shown=reads_some_audit,
            group="organization",
        )
        menu.register("settings_access", access)
