"""``docs/packs.md`` teaches with exactly the pack that ships."""

import re
from pathlib import Path

from django.conf import settings

from apps.packs import archive

_BLOCK = re.compile(r"^`([a-z/.-]+)`\n\n```(?:yaml|jinja)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_docs_show_every_file_of_the_support_desk():
    text = (settings.BASE_DIR / "docs" / "packs.md").read_text(encoding="utf-8")
    shown = {name: content.encode() for name, content in _BLOCK.findall(text)}

    assert shown == archive.of_folder(Path(settings.PARLANCE_PACKS_DIR) / "support-desk")
