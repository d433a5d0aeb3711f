"""Which pages may open a socket with somebody's cookie."""

import pytest

from apps.live.consumers import is_our_page


def scope(origin, *, cookie=True):
    headers = [(b"host", b"talk.example")]
    headers += [(b"origin", origin.encode())] if origin else []
    headers += [(b"cookie", b"a=b")] if cookie else []
    return {"headers": headers}


@pytest.mark.parametrize(
    ("is_https", "origin", "expected"),
    [
        (True, "https://talk.example", True),
        (True, "http://talk.example", False),
        (False, "http://talk.example", True),
        (False, "https://talk.example", True),
        (True, "https://evil.example", False),
        (True, "null", False),
        (True, "", True),
    ],
)
def test_origin_is_ours_by_host_and_by_scheme(is_https, origin, expected, settings):
    settings.IS_HTTPS, settings.ALLOWED_HOSTS, settings.CSRF_TRUSTED_ORIGINS = is_https, ["talk.example"], []

    assert is_our_page(scope(origin)) is expected
    assert is_our_page(scope(origin, cookie=False)) is True
