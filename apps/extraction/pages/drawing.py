"""Values as HTML. Made here instead of in a template: a page of a table has hundreds of them, and a template takes ten times as long."""

from __future__ import annotations

from functools import lru_cache, reduce
from operator import add
from typing import TYPE_CHECKING
from urllib.parse import quote

from django.template.defaultfilters import linebreaksbr
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

if TYPE_CHECKING:
    from apps.extraction.models import Record
    from apps.extraction.pages.tables import Row
    from apps.extraction.pages.values import Cell, Column, Part

SHORT = 90
_SHORT_PART = 60


def shortened(text: str, most: int = SHORT) -> str:
    return text if len(text) <= most else Truncator(text).chars(most)


def row(each: Row, *, is_editable: bool) -> SafeString:
    """All its cells but the last, which says when it was changed."""
    link, name = format_html('<a href="{}">{}</a>', each.url, each.title), each.name
    drawn = [format_html('<td role="gridcell" class="pick">{}</td>', tick(each))] if is_editable else []
    if name and is_editable:
        change = format_html('data-field="{}" data-raw="{}"', name.column.name, name.raw)
        drawn.append(format_html('<td role="gridcell" class="name" {}>{}</td>', change, link))
    else:
        drawn.append(format_html('<td role="gridcell" class="name">{}</td>', link))
    if each.has_state:
        drawn.append(format_html('<td role="gridcell" class="state-cell">{}</td>', each.state))
    drawn += [_cell(cell, is_editable=is_editable) for cell in each.cells]
    return reduce(add, drawn)


def marks(record: Record) -> SafeString:
    """What a script knows the row by."""
    return format_html('id="row-{0}" data-record="{0}" data-version="{1}"', record.pk, record.version)


def tick(each: Row) -> SafeString:
    """With which it is chosen."""
    return format_html(
        '<label class="tick-box"><input class="tick" type="checkbox" name="record" value="{}" form="rows" aria-label="{}"></label>',
        each.record.pk,
        each.choose,
    )


def state(record: Record) -> SafeString:
    """Whether it has all that its collection needs."""
    if record.is_complete:
        return format_html('<span class="badge" data-kind="good">{}</span>', _("Complete"))
    number = len(record.missing)
    words = ngettext("%(number)s missing", "%(number)s missing", number) % {"number": number}
    return format_html('<span class="badge" data-kind="warn">{}</span>', words)


def _cell(cell: Cell, *, is_editable: bool) -> SafeString:
    said, empty = value(cell), _EMPTY if cell.is_empty else ""
    if is_editable:
        return format_html('<td{}{} data-raw="{}">{}</td>', _to_change(cell.column), empty, cell.raw, said)
    return format_html("<td{}{}>{}</td>", _about(cell.column), empty, said)


@lru_cache(maxsize=2048)
def _about(column: Column) -> SafeString:
    """A narrow sheet shows the row as a card: then the name of its field stands before each value."""
    return format_html(' role="gridcell" data-label="{}"{}', column.title, _NUMBER if column.is_number else "")


@lru_cache(maxsize=2048)
def _to_change(column: Column) -> SafeString:
    return format_html('{} data-field="{}"', _about(column), column.name)


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
