"""Every icon that is named is in the sprite (``make vendor`` after adding one), and nothing else is."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"""\{%\s*icon\s+"([a-z0-9-]+)\"""")
SYMBOL = re.compile(r'<symbol id="i-([a-z0-9-]+)"')


def test_every_icon_of_the_templates_is_in_the_sprite():
    named = {name for file in (ROOT / "templates").rglob("*.html") for name in NAMED.findall(file.read_text())}

    sprite = set(SYMBOL.findall((ROOT / "static/vendor/lucide.svg").read_text()))

    assert named - sprite == set()
