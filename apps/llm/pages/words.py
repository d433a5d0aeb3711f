"""What a provider's last check means, in words that say what to do."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

CHECKS: dict[str, str | Promise] = {
    "auth": _("Key refused. Enter a new one."),
    "rate_limited": _("Takes no more requests at the moment. Test again in a minute."),
    "overloaded": _("Overloaded or broken at the moment. Test again in a minute."),
    "provider_paused": _("Failed several times in a row and rests for half a minute."),
    "timeout": _("Did not answer in time. Check the address and whether the server runs."),
    "network": _("Could not be reached. Check the address and whether the server runs."),
    "provider_protocol": _("Answers, but not as this kind of provider does. Check the kind and the address."),
    "model_missing": _("Answers, but has no list of models there. Check the address: most end with /v1."),
    "provider_refused": _("Refused the request. Check the address and the key."),
}


def check_words(code: str) -> str:
    return str(CHECKS.get(code, _("The last test failed. Check the address and the key.")))
