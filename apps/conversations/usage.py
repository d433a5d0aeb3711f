"""What an answer took: tokens, money and time of all its turns, since each *Continue* is one. Every place that tells it sums here."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.contrib.postgres.aggregates import BoolOr
from django.db.models import (
    Case,
    DurationField,
    ExpressionWrapper,
    F,
    FloatField,
    Func,
    JSONField,
    Max,
    OuterRef,
    Q,
    Subquery,
    Sum,
    TextField,
    When,
)
from django.db.models.functions import Cast, JSONObject

from apps.conversations.models import Message, Turn

#: SQL for statements that are written by hand: the money of all the turns of the message ``m``.
COST_OF_ALL = "(SELECT sum(each.cost) FROM conversations_turn AS each WHERE each.message_id = m.id)"


@dataclass(frozen=True, slots=True)
class Usage:
    """``cost`` None: nobody knows it. ``seconds`` from start to end of each turn; None: none has ended."""

    input_tokens: int
    output_tokens: int
    cost: Decimal | None
    currency: str
    is_estimated: bool
    seconds: float | None


def beside() -> Case:
    """For messages: what the turns beside their own took. Only answers that have several are looked at."""
    taken = ExpressionWrapper(F("finished_at") - F("started_at"), output_field=DurationField())
    others = Turn.objects.filter(~Q(pk=OuterRef("turn_id")), message=OuterRef("pk")).order_by().values("message")
    sums = others.annotate(
        sums=JSONObject(
            input_tokens=Sum("input_tokens"),
            output_tokens=Sum("output_tokens"),
            cost=Cast(Sum("cost"), TextField()),
            currency=Max("currency"),
            is_estimated=BoolOr("is_estimated"),
            seconds=Func(Sum(taken), template="extract(epoch FROM %(expressions)s)", output_field=FloatField()),
        )
    )
    return Case(When(turn__has_others=True, then=Subquery(sums.values("sums"))), output_field=JSONField())


def usage_of(message: Message) -> Usage | None:
    """Of a message with its turn, as ``selectors.messages`` reads it. None: no turn wrote it."""
    turn = message.turn
    if turn is None:
        return None
    own = Usage(
        turn.input_tokens,
        turn.output_tokens,
        turn.cost,
        turn.currency,
        turn.is_estimated,
        (turn.finished_at - turn.started_at).total_seconds() if turn.finished_at and turn.started_at else None,
    )
    if not (others := message.beside):
        return own
    cost = Decimal(others["cost"]) if others["cost"] is not None else None
    return Usage(
        own.input_tokens + others["input_tokens"],
        own.output_tokens + others["output_tokens"],
        own.cost if cost is None else cost + (own.cost or 0),
        own.currency or others["currency"],
        own.is_estimated or others["is_estimated"],
        own.seconds if others["seconds"] is None else others["seconds"] + (own.seconds or 0),
    )
