"""Names of files in ``Content-Disposition`` (RFC 6266, RFC 8187). What a name may be is ``core.rules.file_name``."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote


def extension_of(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""


def content_disposition(name: str, *, is_inline: bool) -> str:
    """Both forms: plain ASCII for old clients, percent-encoded UTF-8 for the rest."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    ascii_name = re.sub(r"[^A-Za-z0-9 ._()+-]", "_", ascii_name).rstrip(" .").lstrip(" ") or "file"
    if ascii_name.startswith("."):  # nothing but the extension can be written so
        ascii_name = f"file.{ascii_name.lstrip(' .')}"
    disposition = "inline" if is_inline else "attachment"
    return f"{disposition}; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name, safe='')}"
