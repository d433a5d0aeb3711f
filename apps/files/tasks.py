from __future__ import annotations

from uuid import UUID

from apps.core.jobs import job
from apps.core.limits import Limit
from apps.files import engine


@job("files.process_file", queue="jobs", limit=Limit(rate=10, burst=20))
def process_file(*, file_id: str) -> None:
    """Safe to repeat: only the holder of the file's lease reads it, and a read file is not read again."""
    engine.process_file(file_id=UUID(str(file_id)))
