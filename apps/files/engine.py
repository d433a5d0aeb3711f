"""Reads uploaded content outside our processes, and hands pictures to models. Opens no transaction."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from apps.files import selectors, services, storage
from apps.files.detection import INLINE_IMAGES, READABLE_DOCUMENTS
from apps.files.models import MAX_TEXT, File
from apps.files.types import MODEL_BYTES, MODEL_SIDE, FileKind, FileState, Reading, Reason

READER = Path(__file__).with_name("reader.py")
PREVIEW_SIDE = 480
WALL_SECONDS = 90
CPU_EXIT = -24  # SIGXCPU
LIMITS: dict[str, Any] = {
    "memory_bytes": 1 << 30,
    "cpu_seconds": 60,
    "model_side": MODEL_SIDE,
    "model_bytes": MODEL_BYTES,
    "preview_side": PREVIEW_SIDE,
    "formats": ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"],
    "max_text": MAX_TEXT,
    "max_entries": 10_000,
    "max_entry_bytes": 256 << 20,
    "max_unpacked_bytes": 512 << 20,
    "max_ratio": 200,
}


def process_file(*, file_id: UUID) -> None:
    """Claim, read outside, write. A second call finds the lease held, or nothing left to do."""
    claimed = services.claim_processing(file_id=file_id)
    if claimed is None:
        return
    with tempfile.TemporaryDirectory(prefix="reading-", dir=storage.incoming()) as name:
        folder = Path(name)
        reading = read(storage.location(claimed.path), folder, kind=claimed.kind, media_type=claimed.media_type)
        services.finish_processing(file_id=file_id, fence=claimed.fence, reading=reading, folder=folder)


def read(source: Path, folder: Path, *, kind: str, media_type: str) -> Reading:
    """Run the reader on ``source``. Whatever happens to that process, this one gets a reason."""
    task = "picture" if kind == FileKind.IMAGE else "document"
    limits = LIMITS | {
        "short_type": READABLE_DOCUMENTS.get(media_type, ""),
        "max_pixels": settings.PARLANCE_MAX_IMAGE_PIXELS,
    }
    command = [sys.executable, "-I", str(READER), task, str(source), str(folder), media_type, json.dumps(limits)]
    try:
        done = subprocess.run(  # noqa: S603  (our own script; the arguments are generated paths and constants)
            command,
            check=False,
            timeout=WALL_SECONDS,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=_environment(folder),
        )
    except subprocess.TimeoutExpired:
        return Reading(reason=Reason.TOO_SLOW)
    try:
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        if done.returncode == CPU_EXIT:
            return Reading(reason=Reason.TOO_SLOW)
        return Reading(reason=Reason.BROKEN_IMAGE if task == "picture" else Reason.BROKEN_DOCUMENT)
    return Reading(
        reason=Reason(result.get("reason", "")),
        width=result.get("width"),
        height=result.get("height"),
        is_truncated=bool(result.get("is_truncated")),
        outputs=dict(result.get("outputs", {})),
    )


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of ours: no addresses, no secrets. One thread each keeps the numeric libraries inside the memory limit."""
    return {
        "PATH": os.defpath,
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def image_for_model(file: File) -> tuple[str, bytes] | None:
    """Media type and bytes of a picture as models take it (≤ 1568 px, ≤ 4 MB), or None when there is none.

    One that is too large as it came is there once the job has been: ``selectors.list_being_read`` says which to wait for.
    """
    if file.kind != FileKind.IMAGE or file.state != FileState.READY:
        return None
    content = selectors.content_for_model(file)
    if content.is_made_for_models or (
        content.media_type in INLINE_IMAGES
        and file.size <= MODEL_BYTES
        and max(file.width or MODEL_SIDE + 1, file.height or MODEL_SIDE + 1) <= MODEL_SIDE
    ):
        return content.media_type, storage.location(content.path).read_bytes()
    return None
