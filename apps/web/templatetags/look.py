"""What templates draw with: icons, faces, times, numbers, money, and the import map."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from django import template
from django.conf import settings
from django.forms import BoundField
from django.template.context import Context
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from apps.core.date_words import date_words
from apps.web.modules import import_map, imported_by

register = template.Library()

TINTS = 6
WEEK = timedelta(days=7)
LOCAL_KINDS = {"ollama", "llamacpp", "vllm", "lmstudio"}
KINDS = {
    "CheckboxInput": "checkbox",
    "RadioSelect": "radio",
    "CheckboxSelectMultiple": "checkboxes",
    "HiddenInput": "hidden",
}
CONTROL_CLASSES = {"input": "input", "switch": "toggle"}
CURRENCY_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£"}


@register.simple_tag
@lru_cache(maxsize=1024)  # a page has fifty of them, and all pages have the same
def icon(name: str, size: str = "") -> SafeString:
    return format_html(
        '<svg class="icon {}" aria-hidden="true"><use href="{}#i-{}"/></svg>', size, static("vendor/lucide.svg"), name
    )


@register.simple_tag
def max_file_bytes() -> int:
    return int(settings.PARLANCE_MAX_FILE_BYTES)


@register.simple_tag
def brand(css_class: str = "brand") -> SafeString:
    return format_html('<svg class="{}" viewBox="0 0 24 22" aria-hidden="true"><use href="#mark"/></svg>', css_class)


@register.simple_tag
def avatar(name: str, identity: UUID | str | None = None, *, here: str = "", size: str = "") -> SafeString:
    """A person's face: initials on one of six tints, the same tint for the same person everywhere."""
    return format_html(
        '<span class="avatar {}" data-tint="{}"{} title="{}" aria-hidden="true">{}</span>',
        size,
        tint(identity or name),
        format_html(' data-here="{}"', here) if here else "",
        name,
        initials(name),
    )


@register.simple_tag
def model_avatar(size: str = "") -> SafeString:
    return format_html('<span class="avatar model {}">{}</span>', size, brand(""))


@register.filter
def initials(name: str) -> str:
    words = [word for word in str(name).split() if word[0].isalnum()]
    chosen = [words[0], words[-1]] if len(words) > 1 else words
    return "".join(word[0] for word in chosen).upper() or "?"


@register.filter
def tint(identity: UUID | str) -> int:
    """0 to 5; a UUID's last bytes are random, so people spread over the hues."""
    text = str(identity)
    return (int(text.replace("-", "")[-4:], 16) if _is_uuid(text) else sum(text.encode())) % TINTS


@register.filter
def grouped(value: float | Decimal | None) -> str:
    return "" if value is None else number_format(value, force_grouping=True)


@register.filter
def plain(value: Any) -> str:
    """What a program kept, for people: words as they are, yes and no, lists with commas; what is more than that as JSON."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, list) and not any(isinstance(each, list | dict) for each in value):
        return ", ".join(plain(each) for each in value)
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else str(value)


@register.filter
def compact(value: int | None) -> str:
    """128000 → 128k: for context windows, where the order of magnitude is what people compare."""
    if not value:
        return ""
    if value >= 1_000_000:  # noqa: PLR2004
        return f"{number_format(Decimal(value) / 1_000_000, decimal_pos=0 if value % 1_000_000 == 0 else 1)}M"
    return f"{value // 1000}k" if value >= 1000 else str(value)  # noqa: PLR2004


@register.filter
def seconds(value: float | None) -> str:
    """3.4 s under a minute, 2 min 05 s beyond."""
    if value is None:
        return ""
    if value < 60:  # noqa: PLR2004
        return _("%(seconds)s s") % {"seconds": number_format(value, 1)}
    minutes, rest = divmod(round(value), 60)
    return _("%(minutes)s min %(seconds)02d s") % {"minutes": minutes, "seconds": rest}


@register.filter
def tokens(value: int | None) -> str:
    if value is None:
        return ""
    return ngettext("%(count)s token", "%(count)s tokens", value) % {"count": grouped(value)}


@register.filter
def money(value: Decimal | float | str | None, currency: str = "USD") -> str:
    """Two places from one unit on, otherwise the first two digits that are not zero: $0.0042, $12.40."""
    if value is None or value == "":
        return ""
    amount = Decimal(str(value))
    if amount == 0:
        places = 0
    elif abs(amount) >= 1:
        places = 2
    else:
        places = min(max(2, 1 - amount.adjusted()), 6)
        rounded = amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP).normalize()
        places = max(2, -int(rounded.as_tuple().exponent))
    text = number_format(
        amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP), places, force_grouping=True
    )
    # Translators: where the sign of a currency stands.
    return pgettext("money", "%(sign)s%(amount)s") % {
        "sign": CURRENCY_SIGNS.get(currency, f"{currency} "),
        "amount": text,
    }


@register.simple_tag
def price(pair: tuple[Decimal, Decimal], currency: str = "USD") -> str:
    """Input / output per million tokens."""
    if not any(pair):
        return _("free")
    return f"{money(pair[0], currency)} / {money(pair[1], currency)}"


@register.simple_tag
def provider_icon(kind: str, size: str = "") -> SafeString:
    if kind == "demo":
        return icon("flask-conical", size)
    return icon("server" if kind in LOCAL_KINDS else "cloud", size)


@register.filter
def marked(text: str) -> SafeString:
    """U+E000 and U+E001 stand around matches in what search gives; everything else is escaped."""
    return mark_safe(escape(text).replace("\ue000", "<mark>").replace("\ue001", "</mark>"))  # noqa: S308


@register.filter
def when(value: datetime | None) -> SafeString | str:
    """Today the time, this week the weekday, then the date; the full moment as a tooltip and for machines."""
    return _time_tag(value, when_words(value)) if value is not None else ""


def _time_tag(value: datetime, words: str) -> SafeString:
    full = date_words(value, "DATETIME_FORMAT")
    return format_html('<time datetime="{}" title="{}">{}</time>', value.isoformat(), full, words)


@register.filter
def when_words(value: datetime | None) -> str:
    if value is None:
        return ""
    local, now = timezone.localtime(value), timezone.localtime()
    if local.date() == now.date():
        return date_words(local, "TIME_FORMAT")
    if now - local < WEEK and local < now:
        return date_words(local, "l")
    return date_words(local, "j F" if local.year == now.year else "j F Y")


@register.filter
def clock(value: datetime | None) -> SafeString | str:
    """The time beside a message; its day is in the tooltip and in the day line above."""
    return _time_tag(value, date_words(value, "TIME_FORMAT")) if value is not None else ""


@register.simple_tag(takes_context=True)
def importmap(context: Context) -> SafeString:
    # "<" cannot occur in a static path that Django serves, but a map that could end its own script would be a hole.
    text = json.dumps(import_map(), separators=(",", ":")).replace("<", "\\u003c")
    return format_html('<script type="importmap" nonce="{}">{}</script>', context.get("CSP_NONCE", ""), mark_safe(text))  # noqa: S308


@register.simple_tag(takes_context=True)
def entry(context: Context, module: str) -> SafeString | str:
    """The one script that a page starts with, by its name in the import map."""
    address = import_map()["imports"].get(module)
    nonce = context.get("CSP_NONCE", "")
    script = format_html('<script type="module" nonce="{}" src="{}"></script>', nonce, address)
    return script + preload(context, module) if address else ""


@register.simple_tag(takes_context=True)
def preload(context: Context, module: str) -> SafeString:
    """Fetch a module that is imported later, with all that it needs. Behind the import map: before it, it would spoil it."""
    nonce = context.get("CSP_NONCE", "")
    links = ((nonce, address) for address in imported_by(module))
    return format_html_join("", '<link rel="modulepreload" nonce="{}" href="{}">', links)


@register.inclusion_tag("components/field.html")
def field(
    bound: BoundField, *, kind: str = "", label: str = "", autofocus: bool = False, says_optional: bool = True
) -> dict[str, object]:
    """A form field as the house shows it: label above, help below, an error in the help's place.

    ``kind="switch"`` draws a checkbox as a switch; radios become a segment, several checkboxes a list.
    ``says_optional=False`` for what another field decides: the help says when it is needed.
    """
    widget = bound.field.widget
    kind = kind or KINDS.get(type(widget).__name__, "input")
    note_id = f"{bound.id_for_label or bound.html_name}_note" if bound.errors or bound.help_text else ""
    attributes = {
        **({"class": CONTROL_CLASSES[kind]} if CONTROL_CLASSES.get(kind) else {}),
        **({"role": "switch"} if kind == "switch" else {}),
        **({"aria-describedby": note_id} if note_id else {}),
        **({"aria-invalid": "true"} if bound.errors else {}),
        **({"autofocus": True} if autofocus else {}),
    }
    # A placeholder that repeats the label is noise, and a screen reader says it twice.
    if label or widget.attrs.get("placeholder") == bound.label:
        widget.attrs.pop("placeholder", None)
    return {
        "bound": bound,
        "kind": kind,
        "label": label or bound.label,
        # A list of choices shows by its first entry that nothing need be chosen.
        "says_optional": says_optional and not bound.field.required and getattr(widget, "input_type", "") != "select",
        "note_id": note_id,
        # What a new password must be is still worth reading beside what was wrong with the first one.
        "keeps_help": getattr(widget, "input_type", "") == "password",
        "control": "" if kind in {"radio", "checkboxes"} else bound.as_widget(attrs=attributes),
        "options": _options(bound, kind) if kind in {"radio", "checkboxes"} else (),
    }


@register.simple_tag
def control(bound: BoundField) -> SafeString:
    """Only the input, where the label stands elsewhere."""
    drawn = field(bound)
    return drawn["control"]  # type: ignore[return-value]


@register.simple_tag
def radios(bound: BoundField) -> list[dict[str, object]]:
    """The options of a radio field, for a template that adds icons to them."""
    return _options(bound, "radio")


def _options(bound: BoundField, kind: str) -> list[dict[str, object]]:
    found = []
    for option in bound.subwidgets:
        option.data["attrs"] = {**option.data["attrs"], **({"class": "sr"} if kind == "radio" else {})}
        found.append({"tag": option.tag(), "label": option.choice_label, "value": option.data["value"]})
    return found


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
