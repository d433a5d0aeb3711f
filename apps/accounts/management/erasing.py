"""What both commands that erase say and ask."""

from __future__ import annotations

from django.core.management.base import CommandError, OutputWrapper

from apps.accounts.services.erasure import Receipt


def print_receipt(out: OutputWrapper, receipt: Receipt) -> None:
    """``would erase`` for a trial, ``erased`` with the number of the receipt that is kept."""
    head = f"erased {receipt.kind}" if receipt.id else f"would erase {receipt.kind}"
    out.write(f"{head} {receipt.subject_id}")
    for name, count in receipt.rows.items():
        out.write(f"  {name}: {count} rows")
    if receipt.id:
        out.write(f"receipt: {receipt.id}")


def require_typed(expected: str, confirm: str | None) -> None:
    typed = confirm if confirm is not None else input(f"This cannot be undone. Type {expected} to erase it for good: ")
    if typed.strip() != expected:
        message = "That is not what was asked for. Nothing was changed."
        raise CommandError(message)
