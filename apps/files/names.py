"""Names that people give to files, made fit for showing and for ``Content-Disposition`` (RFC 6266, RFC 8187)."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

MAX_NAME = 180
DEVICE_NAMES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
# Characters that turn the direction of text would let "gpj.exe" read as "exe.jpg".
_DIRECTIONS = {*"\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}
_UNSAFE_IN_NAMES = re.compile(r'[<>:"|?*]')


def display_name(given: str) -> str:
    """The last part of the given name without control and direction characters, at most 180 characters, never empty.

    Percent-encoded separators are left as text: the name is never decoded and never a path.
    """
    name = unicodedata.normalize("NFC", given.encode("utf-8", "replace").decode("utf-8"))
    name = name.replace("\\", "/").rpartition("/")[2]
    name = "".join(
        character
        for character in name
        if unicodedata.category(character) not in {"Cc", "Cs", "Co", "Cn"} and character not in _DIRECTIONS
    )
    name = _UNSAFE_IN_NAMES.sub("_", name).strip(" .")
    stem, dot, extension = name.rpartition(".")
    if not dot:
        stem, extension = name, ""
    if stem.partition(".")[0].strip().lower() in DEVICE_NAMES:
        stem = f"_{stem}"
    if len(extension) > 16:  # noqa: PLR2004  (longer than any extension that means something)
        stem, dot, extension = f"{stem}{dot}{extension}", "", ""
    stem = stem[: MAX_NAME - len(dot) - len(extension)]
    return f"{stem}{dot}{extension}".strip(" .") or "file"


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
