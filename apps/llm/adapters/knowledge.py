"""How passages and unseen images are written into a prompt. What they say is untrusted, so they cannot end their own fence."""

from __future__ import annotations

import re

from apps.llm.types import ImageContent, KnowledgeContent

_FENCE = re.compile(r"<(/?)document", re.IGNORECASE)


def written_document(part: KnowledgeContent) -> str:
    title = part.title.replace('"', "'").replace("\n", " ")
    text = _FENCE.sub(r"&lt;\1document", part.text)
    return f'\n<document id="{part.id}" title="{_FENCE.sub("", title)}">\n{text}\n</document>\n'


def unseen_image(part: ImageContent) -> str:
    return f"\n[An image ({part.name or part.media_type}) is attached here; this model cannot see images.]\n"
