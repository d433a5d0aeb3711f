"""The header of a picture, read in our own process: no pixel is decoded here."""

from __future__ import annotations

import warnings
from pathlib import Path

from django.conf import settings
from PIL import Image, UnidentifiedImageError

from apps.files.detection import PICTURES
from apps.files.types import FileRefused, Reason

FORMATS = ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"]


def check_size(path: Path, media_type: str) -> tuple[int | None, int | None]:
    """Width and height as stored; raises ``FileRefused`` for a picture that is broken or has too many pixels."""
    if media_type not in PICTURES:
        return None, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as picture:
                width, height = picture.size
    except Image.DecompressionBombError:
        raise FileRefused(Reason.TOO_MANY_PIXELS) from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, TypeError):
        raise FileRefused(Reason.BROKEN_IMAGE) from None
    if width * height > settings.PARLANCE_MAX_IMAGE_PIXELS:
        raise FileRefused(Reason.TOO_MANY_PIXELS)
    return width, height
