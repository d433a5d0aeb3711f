"""The kinds of providers: which wire they speak, where they usually live, and what they deviate in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.db import models
from django.utils.translation import gettext_lazy as _


class ProviderKind(models.TextChoices):
    OPENAI = "openai", "OpenAI"
    ANTHROPIC = "anthropic", "Anthropic"
    GEMINI = "gemini", "Google Gemini"
    COHERE = "cohere", "Cohere"
    GROQ = "groq", "Groq"
    TOGETHER = "together", "Together"
    OPENROUTER = "openrouter", "OpenRouter"
    VLLM = "vllm", "vLLM"
    LLAMACPP = "llamacpp", "llama.cpp"
    OLLAMA = "ollama", "Ollama"
    LMSTUDIO = "lmstudio", "LM Studio"
    OPENAI_COMPATIBLE = "openai-compatible", _("Other, OpenAI-compatible")
    DEMO = "demo", _("Demo")


class Wire(StrEnum):
    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    DEMO = "demo"


@dataclass(frozen=True, slots=True)
class Preset:
    """``environment`` names the variable of the key, ``local_port`` where a server on this machine usually listens.

    ``is_local`` servers load models before they answer: they get ten times the time to the first byte, and their private
    address may be called. ``max_tokens_field`` and ``takes_stream_options`` are where compatible servers differ.
    """

    kind: ProviderKind
    wire: Wire
    base_url: str = ""
    is_local: bool = False
    needs_key: bool = True
    environment: str = ""
    base_url_environment: str = ""
    local_port: int | None = None
    max_tokens_field: str = "max_tokens"
    takes_stream_options: bool = True


_ALL = (
    Preset(
        ProviderKind.OPENAI,
        Wire.OPENAI,
        "https://api.openai.com/v1",
        environment="OPENAI_API_KEY",
        base_url_environment="OPENAI_BASE_URL",
        max_tokens_field="max_completion_tokens",
    ),
    Preset(
        ProviderKind.ANTHROPIC,
        Wire.ANTHROPIC,
        "https://api.anthropic.com",
        environment="ANTHROPIC_API_KEY",
        base_url_environment="ANTHROPIC_BASE_URL",
    ),
    Preset(
        ProviderKind.GEMINI,
        Wire.OPENAI,
        "https://generativelanguage.googleapis.com/v1beta/openai",
        environment="GEMINI_API_KEY",
    ),
    Preset(
        ProviderKind.COHERE,
        Wire.OPENAI,
        "https://api.cohere.ai/compatibility/v1",
        environment="COHERE_API_KEY",
    ),
    Preset(ProviderKind.GROQ, Wire.OPENAI, "https://api.groq.com/openai/v1", environment="GROQ_API_KEY"),
    Preset(ProviderKind.TOGETHER, Wire.OPENAI, "https://api.together.xyz/v1", environment="TOGETHER_API_KEY"),
    Preset(ProviderKind.OPENROUTER, Wire.OPENAI, "https://openrouter.ai/api/v1", environment="OPENROUTER_API_KEY"),
    Preset(ProviderKind.VLLM, Wire.OPENAI, "http://localhost:8000/v1", is_local=True, needs_key=False, local_port=8000),
    Preset(
        ProviderKind.LLAMACPP, Wire.OPENAI, "http://localhost:8080/v1", is_local=True, needs_key=False, local_port=8080
    ),
    Preset(
        ProviderKind.OLLAMA, Wire.OPENAI, "http://localhost:11434/v1", is_local=True, needs_key=False, local_port=11434
    ),
    Preset(
        ProviderKind.LMSTUDIO, Wire.OPENAI, "http://localhost:1234/v1", is_local=True, needs_key=False, local_port=1234
    ),
    Preset(ProviderKind.OPENAI_COMPATIBLE, Wire.OPENAI, needs_key=False),
    Preset(ProviderKind.DEMO, Wire.DEMO, needs_key=False),
)
PRESETS: dict[ProviderKind, Preset] = {preset.kind: preset for preset in _ALL}


def preset_of(kind: str) -> Preset:
    return PRESETS[ProviderKind(kind)]
