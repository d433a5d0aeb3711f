"""The words that callers and adapters share: operations on message parts, neutral messages, requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias
from uuid import UUID

from apps.llm.errors import ModelError as ModelError  # noqa: PLC0414  (callers find it with the other words)


class PartType(StrEnum):
    TEXT = "text"
    REASONING = "reasoning"
    FILE = "file"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    CITATION = "citation"
    CARD = "card"
    ERROR = "error"


class Purpose(StrEnum):
    """Why a model was called; ledger rows of one turn are told apart by it."""

    CHAT = "chat"
    TITLE = "title"
    API = "api"
    EXTRACTION = "extract"
    GENERATION = "generate"
    EMBEDDING = "embed"


class FinishReason(StrEnum):
    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT = "content"


# Operations. The visible ones (Open, Append, Set, Close) change numbered parts of the answer; indices start at 0 in every
# call, rise by one per part and are never reused, so a caller that joins several calls adds an offset.


@dataclass(frozen=True, slots=True)
class OpenPart:
    index: int
    type: PartType
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AppendText:
    index: int
    text: str


@dataclass(frozen=True, slots=True)
class SetPart:
    """Replaces the data of a part whole (tool calls: ``id``, ``name``, ``arguments`` as an object)."""

    index: int
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ClosePart:
    index: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call. ``input_tokens`` includes ``cached_tokens``; ``output_tokens`` includes ``reasoning_tokens``."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """Who really answers. Comes once, before the first visible operation."""

    provider: str
    model: str
    attempt: int
    provider_id: UUID | None = None
    model_id: UUID | None = None
    is_fallback: bool = False
    is_demo: bool = False
    requested: str = ""
    left_out: int = 0  # so many of the oldest messages it was not given


@dataclass(frozen=True, slots=True)
class Finished:
    """The last operation of a call that ended well. ``cost`` is in ``currency``, as text of a decimal; empty when unpriced."""

    reason: FinishReason
    cost: str = ""
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Embedded:
    """The answer to a request of purpose ``embed``: a vector for each of its messages, all of one length."""

    vectors: tuple[tuple[float, ...], ...]


Operation: TypeAlias = OpenPart | AppendText | SetPart | ClosePart | Embedded | Usage | Answered | Finished


# Neutral messages: what adapters translate into their wire form.


@dataclass(frozen=True, slots=True)
class TextContent:
    text: str


@dataclass(frozen=True, slots=True)
class ImageContent:
    """``data`` are the raw bytes; adapters encode them. Left out (with a note in its place) for models that cannot see."""

    media_type: str
    data: bytes
    name: str = ""


@dataclass(frozen=True, slots=True)
class KnowledgeContent:
    """A passage that the answer may rest on. Untrusted: it is fenced and named as a document on the wire."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class ReasoningContent:
    """Reasoning of an earlier answer. ``signature`` must go back unchanged to providers that gave one."""

    text: str
    signature: str = ""


@dataclass(frozen=True, slots=True)
class ToolCallContent:
    id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolResultContent:
    id: str
    content: str
    is_error: bool = False


NeutralPart: TypeAlias = (
    TextContent | ImageContent | KnowledgeContent | ReasoningContent | ToolCallContent | ToolResultContent
)


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class NeutralMessage:
    """One message of the context. ``name`` is the speaker's name where several people share a conversation."""

    role: Role
    parts: tuple[NeutralPart, ...]
    name: str = ""

    @classmethod
    def of_text(cls, role: Role, text: str) -> NeutralMessage:
        return cls(role=role, parts=(TextContent(text),))

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, TextContent))


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """``parameters`` is a JSON Schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Parameters:
    """None means the provider's own default. ``response_schema`` asks for one JSON object of that schema as the text."""

    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    reasoning_effort: str | None = None
    response_schema: Mapping[str, Any] | None = None
    tool_choice: str | None = None


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """What a caller asks of ``engine.stream``.

    ``model_id`` None means the organization's default. ``language`` is the person's (``de``, ``en``), used by the demo.
    ``allow_fallback`` is switched off where another model's answer would be worthless (comparing models, tests of one).
    ``may_cut_results``: what tools gave is cut to what the model can read, rather than refused.
    ``without_tools``: it goes out as plain words, with nothing of tools in the protocol.
    ``may_leave_out``: of so many of the first messages the oldest are left out, but instructions, where the model cannot read all.
    """

    organization_id: UUID
    messages: tuple[NeutralMessage, ...]
    model_id: UUID | None = None
    parameters: Parameters = Parameters()
    tools: tuple[ToolSpec, ...] = ()
    turn_id: UUID | None = None
    project_id: UUID | None = None
    user_id: UUID | None = None
    purpose: Purpose = Purpose.CHAT
    language: str = "en"
    correlation_id: str = ""
    allow_fallback: bool = True
    may_cut_results: bool = False
    without_tools: bool = False
    may_leave_out: int = 0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds, already scaled. ``first_byte`` runs from the sent request to the first byte of the body."""

    connect_seconds: float = 5.0
    first_byte_seconds: float = 30.0
    gap_seconds: float = 30.0
    total_seconds: float = 600.0

    def scaled(self, factor: float) -> Timeouts:
        return Timeouts(
            connect_seconds=self.connect_seconds * factor,
            first_byte_seconds=self.first_byte_seconds * factor,
            gap_seconds=self.gap_seconds * factor,
            total_seconds=self.total_seconds * factor,
        )


@dataclass(frozen=True, slots=True)
class WireCall:
    """One attempt, as an adapter sees it: the model's own name, no policy left to decide."""

    model: str
    messages: tuple[NeutralMessage, ...]
    parameters: Parameters = Parameters()
    tools: tuple[ToolSpec, ...] = ()
    timeouts: Timeouts = Timeouts()
    can_see: bool = True
    max_output_tokens: int | None = None
    purpose: Purpose = Purpose.CHAT
    language: str = "en"


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """A model as a provider's own list names it."""

    name: str
    context_window: int | None = None
