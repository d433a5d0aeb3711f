"""Values as HTML. Made here instead of in a template: a page of a table has hundreds of them, and a template takes ten times as long."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote

from django.template.defaultfilters import linebreaksbr
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from apps.extraction.pages.values import Cell, Part

SHORT = 90
_SHORT_PART = 60


def shortened(text: str, most: int = SHORT) -> str:
    return text if len(text) <= most else Truncator(text).chars(most)


def cells(each: Iterable[Cell], *, is_editable: bool) -> SafeString:
    """Of one row of a table. A narrow sheet shows the row as a card: then the name of its field stands before each value."""
    return format_html_join("", "{}", ((_cell(cell, is_editable=is_editable),) for cell in each))


def _cell(cell: Cell, *, is_editable: bool) -> SafeString:
    column = cell.column
    return format_html(
        '<td role="gridcell" data-label="{}"{}{}{}>{}</td>',
        column.title,
        _NUMBER if column.is_number else "",
        format_html(' data-field="{}" data-raw="{}"', column.name, cell.raw) if is_editable else "",
        _EMPTY if cell.is_empty else "",
        value(cell),
    )


_NUMBER = format_html(' class="{}"', "num")
_EMPTY = format_html(" data-{}", "empty")


def value(cell: Cell, *, is_whole: bool = False) -> SafeString | str:
    """What a field says, to be escaped unless it is markup; ``is_whole``: all of it, with its lines."""
    if cell.is_empty:
        return format_html('<span class="none" aria-hidden="true">—</span><span class="sr">{}</span>', _("empty"))
    column, text = cell.column, cell.text
    if column.is_relation:
        return format_html_join(" ", "{}", ((_link(part),) for part in cell.parts))
    if cell.parts:
        return format_html_join(
            " ", '<span class="badge">{}</span>', ((shortened(part.text, _SHORT_PART),) for part in cell.parts)
        )
    if column.kind == "choice":
        return format_html('<span class="badge">{}</span>', text)
    if cell.is_link:
        shown = shortened(text, _SHORT_PART)
        return format_html('<a href="{}" rel="noopener noreferrer nofollow">{}</a>', text, shown)
    if column.kind == "email":
        return format_html('<a href="mailto:{}">{}</a>', quote(text, safe="@"), text)
    return linebreaksbr(text) if is_whole else shortened(text)


def _link(part: Part) -> SafeString:
    if part.is_gone:
        return format_html('<span class="record-chip" data-gone>{}</span>', _("deleted or closed to you"))
    url = reverse("extraction:record", kwargs={"record_id": part.record_id})
    return format_html('<a class="record-chip" href="{}">#{}</a>', url, shortened(part.text, _SHORT_PART))
