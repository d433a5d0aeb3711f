"""HTML on paper: a PDF with the few elements that ``core.markup.for_paper`` leaves. The library is loaded at the first one."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

from django.utils.translation import gettext as _

from apps.extraction.template_types import TemplateFailed

MAX_HTML = 80_000
#: The library looks at all it was given at once again and again: pieces make it linear.
_PIECE = 2_500
FONTS = Path(__file__).parent / "fonts"
_TAG = re.compile(r"<(/?)(\w+)[^>]*>")
_SLANTED = re.compile(r"<(?:em|i|blockquote)\b")
_FAMILY = "DejaVu"
_FILES = {"": "DejaVuSans.ttf", "B": "DejaVuSans-Bold.ttf", "I": "DejaVuSans-Oblique.ttf", "BI": "DejaVuSans-Bold.ttf"}


def _pieces(html: str) -> Iterator[str]:
    """Cut between elements that stand in no other; what is cut is whole, because it was cleaned before."""
    depth, start = 0, 0
    for tag in _TAG.finditer(html):
        if tag[2] not in {"br", "hr"}:
            depth += -1 if tag[1] else 1
        if depth == 0 and tag.end() - start >= _PIECE:
            yield html[start : tag.end()]
            start = tag.end()
    if html[start:].strip():
        yield html[start:]


def pdf_of(html: str, *, title: str = "") -> bytes:
    """``TemplateFailed`` for what is too long, or cannot be set."""
    if len(html) > MAX_HTML:
        raise TemplateFailed(_("This is too long for a PDF."))
    from fpdf import FPDF, FontFace, TextStyle
    from fpdf.errors import FPDFException

    logging.getLogger("fontTools").setLevel(logging.ERROR)
    logging.getLogger("fpdf").setLevel(logging.ERROR)
    pdf = FPDF(format="A4")
    pdf.set_title(title)
    pdf.set_margins(22, 20, 22)
    pdf.set_auto_page_break(True, margin=20)
    is_slanted = _SLANTED.search(html) is not None
    for style, name in _FILES.items():
        if "I" in style and not is_slanted:
            continue  # reading a font is most of what a short document costs
        pdf.add_font(_FAMILY, style, str(FONTS / name))
    pdf.set_font(_FAMILY, size=10.5)
    pdf.add_page()
    heads = {
        tag: TextStyle(font_family=_FAMILY, font_style="B", font_size_pt=size, t_margin=above, b_margin=2)
        for tag, size, above in (
            ("h1", 20, 4),
            ("h2", 15, 5),
            ("h3", 12.5, 4),
            ("h4", 11, 3),
            ("h5", 10.5, 3),
            ("h6", 10.5, 3),
        )
    }
    plain = {
        "a": FontFace(color=(20, 90, 110)),
        "code": FontFace(family=_FAMILY),
        "pre": TextStyle(font_family=_FAMILY, font_size_pt=9, t_margin=2, b_margin=2),
        "blockquote": TextStyle(
            font_family=_FAMILY, font_style="I" if is_slanted else "", l_margin=6, t_margin=2, b_margin=2
        ),
    }
    try:
        for piece in _pieces(html):
            pdf.write_html(piece, font_family=_FAMILY, tag_styles={**heads, **plain}, table_line_separators=True)
    except (FPDFException, NotImplementedError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise TemplateFailed(_("This cannot be set on paper: %(why)s") % {"why": str(error)[:200]}) from error
    return bytes(pdf.output())
