from collections.abc import Iterator

import pytest

from tests.architecture import tree


@pytest.fixture(autouse=True, scope="package")
def _trees() -> Iterator[None]:
    """Modules are parsed once, and not kept for the tests of other folders: the collector would walk through them each time."""
    yield
    tree.parsed.cache_clear()
    tree.names_in.cache_clear()
