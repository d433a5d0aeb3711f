"""One turn in this process: what its answer has brought so far, and how it ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from apps.conversations.types import LEFT_OUT, Ending, HeldTurn, TurnStatus, TurnUsage
from apps.live import streams
from apps.llm.types import Answered, AppendText, Finished, OpenPart, Operation, PartType, Usage


@dataclass(eq=False)
class Running:
    """``usage`` and ``cost`` are of all calls: an answer that asks tools has more than one."""

    held: HeldTurn
    task: asyncio.Task[None] | None = None
    stream: streams.TurnStream | None = None
    checkpointed_seq: int = 0
    cancelled_for: str = ""
    answered: Answered | None = None
    usage: Usage | None = None
    finished: Finished | None = None
    cost: Decimal | None = None
    first_text_at: float | None = None
    may_join: bool = True
    joined: int = 0
    is_ending: bool = False
    offsets: dict[int, int] = field(default_factory=dict)

    @property
    def parts(self) -> list[dict[str, Any]]:
        return self.stream.parts if self.stream else self.held.start_parts

    def take(self, operation: Operation) -> None:
        stream = self.stream
        assert stream is not None
        match operation:
            case Answered():
                self.answered = operation
            case Usage():
                self.usage = operation if self.usage is None else _together(self.usage, operation)
            case Finished():
                self.finished = operation
                if operation.cost:
                    self.cost = (self.cost or 0) + Decimal(operation.cost)
            case _:
                stream.append((self._shifted(operation),))
                if self.first_text_at is None and isinstance(operation, AppendText):
                    self.first_text_at = asyncio.get_running_loop().time()

    def _shifted(self, operation: Any) -> Operation:
        """A continued answer: text that it begins with goes on in the last part that is there, other parts come behind."""
        base = len(self.held.start_parts)
        if not base:
            return operation
        if isinstance(operation, OpenPart):
            joins = self.may_join and operation.type == PartType.TEXT and self.held.start_parts[-1]["type"] == "text"
            if operation.type != PartType.REASONING:
                self.may_join = False
            self.joined += joins
            self.offsets[operation.index] = base - 1 if joins else base + operation.index - self.joined
        index = self.offsets[operation.index]
        return type(operation)(index, *[getattr(operation, name) for name in operation.__slots__ if name != "index"])

    def ending(self, status: TurnStatus, *, reason: str = "") -> Ending:
        answered, usage, finished = self.answered, self.usage, self.finished
        first_at = self.first_text_at
        shown_for = asyncio.get_running_loop().time() - first_at if first_at is not None else None
        if status == TurnStatus.COMPLETED and finished is not None and finished.reason != "stop":
            reason = str(finished.reason)
        elif status == TurnStatus.COMPLETED and answered is not None and answered.left_out:
            reason = LEFT_OUT
        return Ending(
            status=status,
            reason=reason,
            parts=self.parts,
            usage=TurnUsage(
                input_tokens=usage.input_tokens if usage else 0,
                output_tokens=usage.output_tokens if usage else 0,
                cost=self.cost,
                currency=finished.currency if finished else "",
                estimated=usage.estimated if usage else True,
            ),
            provider=answered.provider if answered else "",
            model=answered.model if answered else "",
            is_fallback=bool(answered and answered.is_fallback),
            shown_seconds=shown_for,
        )


def _together(first: Usage, second: Usage) -> Usage:
    return Usage(
        first.input_tokens + second.input_tokens,
        first.output_tokens + second.output_tokens,
        first.cached_tokens + second.cached_tokens,
        first.reasoning_tokens + second.reasoning_tokens,
        first.estimated or second.estimated,
    )
