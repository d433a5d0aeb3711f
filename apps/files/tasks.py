from __future__ import annotations

from uuid import UUID

from apps.core.jobs import hint, job
from apps.files import engine, services


@job("files.process_file", queue="jobs")
def process_file(*, file_id: str) -> None:
    """Safe to repeat: only the holder of the file's lease reads it, and a read file is not read again."""
    engine.process_file(file_id=UUID(str(file_id)))


@job("files.hint_unread", queue="jobs", every_seconds=15)
def hint_unread() -> None:
    """Safe to repeat: a hint for a file that is being read finds its lease."""
    for file_id in services.list_unread():
        hint("files.process_file", file_id=file_id)


@job("files.sweep", queue="jobs", every_seconds=3600)
def sweep() -> None:
    """Safe to repeat: each file is erased under its own lock, what is gone is not found again."""
    services.sweep()
