"""Run as a process of its own: reads one untrusted file inside hard limits and writes what it found to a folder.

Started by ``engine`` as a script, so it imports nothing of ours. Arguments: task, input path, output folder, media type, JSON
of limits. The answer is ``result.json`` in the folder; a reason (``types.Reason``) stands for what went wrong.
"""

from __future__ import annotations

import json
import resource
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

MEGABYTE = 1 << 20
ORIENTATION = 0x0112  # EXIF 2.3 §4.6.4
TURNED = {5, 6, 7, 8}


class Refused(Exception):
    """Carries the reason."""


def main() -> None:
    task, source, folder, media_type, raw_limits = sys.argv[1:6]
    limits = json.loads(raw_limits)
    _limit(limits)
    output = Path(folder)
    try:
        result = TASKS[task](Path(source), output, media_type, limits)
    except Refused as refused:
        result = {"reason": str(refused)}
    except (MemoryError, ImportError):  # a library that no longer fits says ImportError
        result = {"reason": "too_much_memory"}
    (output / "result.json").write_text(json.dumps(result), encoding="utf-8")


def _limit(limits: dict[str, Any]) -> None:
    memory = limits["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (limits["cpu_seconds"], limits["cpu_seconds"] + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (128 * MEGABYTE, 128 * MEGABYTE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def read_picture(source: Path, output: Path, media_type: str, limits: dict[str, Any]) -> dict[str, Any]:
    """``preview`` (≤ 480 px) and ``downsized`` (≤ 1568 px, ≤ 4 MB, what models are shown), turned the way the camera was held."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = limits["max_pixels"] // 2  # Pillow raises at twice this
    try:
        with Image.open(source, formats=limits["formats"]) as opened:
            width, height = opened.size
            if width * height > limits["max_pixels"]:
                raise Refused("too_many_pixels")
            is_turned = opened.getexif().get(ORIENTATION, 1) in TURNED
            opened.draft("RGB", (limits["model_side"], limits["model_side"]))
            has_alpha = opened.mode in {"RGBA", "LA", "PA"} or "transparency" in opened.info
            picture = opened if opened.mode in {"RGB", "RGBA"} else opened.convert("RGBA" if has_alpha else "RGB")
            # Shrunk before it is turned: one full-size copy in memory, not two.
            picture.thumbnail((limits["model_side"], limits["model_side"]))
            picture = ImageOps.exif_transpose(picture)
    except Image.DecompressionBombError as error:
        raise Refused("too_many_pixels") from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, TypeError) as error:
        raise Refused("broken_image") from error
    picture.info.clear()
    if is_turned:
        width, height = height, width
    result: dict[str, Any] = {"width": width, "height": height, "outputs": {}}
    for name, side, cap in (
        ("downsized", limits["model_side"], limits["model_bytes"]),
        ("preview", limits["preview_side"], MEGABYTE),
    ):
        picture.thumbnail((side, side))
        result["outputs"][name] = _save(picture, output / name, cap)
    return result


def _save(picture: Any, target: Path, cap: int) -> str:
    if picture.mode == "RGBA":
        picture.save(target, "PNG", optimize=False)
        if target.stat().st_size <= cap:
            return "image/png"
        background = picture.copy()
        flat = background.convert("RGB")
        flat.paste((255, 255, 255), (0, 0, *flat.size))
        flat.paste(background, mask=background.getchannel("A"))
        picture = flat
    for quality in (88, 75, 60, 40):
        picture.save(target, "JPEG", quality=quality)
        if target.stat().st_size <= cap:
            break
    return "image/jpeg"


def read_document(source: Path, output: Path, media_type: str, limits: dict[str, Any]) -> dict[str, Any]:
    """Markdown of the document in ``text``, at most ``max_text`` characters."""
    short = limits["short_type"]
    if find_spec("markitdown") is None:
        raise Refused("no_parser")
    if short == "pdf":
        _check_pdf(source)
    else:
        _check_archive(source, limits)
    from markitdown import StreamInfo, converters

    converters_by_type: dict[str, Any] = {
        "pdf": converters.PdfConverter,
        "docx": converters.DocxConverter,
        "pptx": converters.PptxConverter,
        "xlsx": converters.XlsxConverter,
        "epub": converters.EpubConverter,
    }
    converter = converters_by_type[short]()
    try:
        with source.open("rb") as stream:
            found = converter.convert(stream, StreamInfo(mimetype=media_type, extension=f".{short}"))
    except MemoryError:
        raise
    except Exception as error:
        names = {type(error).__name__, type(error.__cause__).__name__}
        if any("Password" in name or "Encrypt" in name for name in names):
            raise Refused("encrypted") from error
        raise Refused("broken_document") from error
    text = found.markdown.replace("\x00", "").encode("utf-8", "ignore").decode("utf-8").strip()
    (output / "text").write_text(text[: limits["max_text"]], encoding="utf-8")
    return {"outputs": {"text": "text/markdown"}, "is_truncated": len(text) > limits["max_text"]}


def _check_pdf(source: Path) -> None:
    """A password that is needed to open is found before the parser runs."""
    from pdfminer.pdfdocument import PDFDocument, PDFEncryptionError, PDFPasswordIncorrect
    from pdfminer.pdfparser import PDFParser

    try:
        with source.open("rb") as stream:
            PDFDocument(PDFParser(stream))
    except (PDFPasswordIncorrect, PDFEncryptionError) as error:
        raise Refused("encrypted") from error
    except MemoryError:
        raise
    except Exception as error:
        raise Refused("broken_document") from error


def _check_archive(source: Path, limits: dict[str, Any]) -> None:
    """Before anything is unpacked. ``zipfile`` never gives more than an entry declares, so the declared sizes bound the work."""
    if source.open("rb").read(8) == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise Refused("encrypted")
    try:
        with zipfile.ZipFile(source) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise Refused("broken_document") from error
    total = sum(entry.file_size for entry in entries)
    largest = max((entry.file_size for entry in entries), default=0)
    packed = max(source.stat().st_size, 1)
    if (
        len(entries) > limits["max_entries"]
        or largest > limits["max_entry_bytes"]
        or total > limits["max_unpacked_bytes"]
        or (total > 16 * MEGABYTE and total / packed > limits["max_ratio"])
    ):
        raise Refused("archive_bomb")
    if any(entry.flag_bits & 1 for entry in entries):
        raise Refused("encrypted")


TASKS = {"picture": read_picture, "document": read_document}

if __name__ == "__main__":
    main()
