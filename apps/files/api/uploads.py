"""Reading ``multipart/form-data``: one file, streamed to disk and stopped at the size that one file may have."""

from __future__ import annotations

from django.conf import settings
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest

from apps.files.types import FileTooLarge

ENVELOPE_BYTES = 64 * 1024


class CappedUploadHandler(TemporaryFileUploadHandler):
    """Counts while the body is parsed, so that a lying ``Content-Length`` does not fill the disk."""

    taken = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.taken += len(raw_data)
        if self.taken > settings.PARLANCE_MAX_FILE_BYTES:
            self.file.close()  # the parser closes files that are complete, not this one
            raise FileTooLarge(limit_bytes=settings.PARLANCE_MAX_FILE_BYTES)
        super().receive_data_chunk(raw_data, start)


def prepare_upload(request: HttpRequest) -> None:
    """Before anything reads the body: the check of the CSRF token does, and Django's own handlers know no cap.

    Raises ``FileTooLarge`` for a body that announces more than one file may have.
    """
    if int(request.META.get("CONTENT_LENGTH") or 0) > settings.PARLANCE_MAX_FILE_BYTES + ENVELOPE_BYTES:
        raise FileTooLarge(limit_bytes=settings.PARLANCE_MAX_FILE_BYTES)
    request.upload_handlers = [CappedUploadHandler(request)]
