from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "apps.accounts"
    label = "accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        from apps.accounts import events, receivers
        from apps.accounts.setting_rights import may_change
        from apps.core import preferences

        assert events
        assert receivers
        preferences.ask_rights_of(may_change)  # type: ignore[arg-type]
