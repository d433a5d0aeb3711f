"""Where a request came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from django.conf import settings
from django.http import HttpRequest

LINE_BITS = 64
MAPPED_BITS = 96  # ``::ffff:0:0/96`` holds the addresses of IPv4 (RFC 4291 §2.5.5.2)


def client_address(request: HttpRequest) -> str | None:
    """The peer's address, or what our own proxy (``PARLANCE_BEHIND_PROXY``) appended last; never what a caller claims."""
    return _believed(request.META.get("REMOTE_ADDR") or "", request.headers.get("X-Forwarded-For", ""))


def address_of_scope(scope: Mapping[str, Any]) -> str | None:
    """As ``client_address``, for sockets."""
    peer = scope.get("client")
    sent = [value.decode("latin-1") for name, value in scope.get("headers", []) if name.lower() == b"x-forwarded-for"]
    return _believed(peer[0] if peer else "", ",".join(sent))


def _believed(peer: str, forwarded: str) -> str | None:
    raw = forwarded.rsplit(",", 1)[-1].strip() if settings.PARLANCE_BEHIND_PROXY and forwarded else peer
    address = parse_address(raw)
    return str(address) if address is not None else None


def parse_address(raw: str) -> IPv4Address | IPv6Address | None:
    """An address of IPv4 that came in the clothes of IPv6 is one of IPv4."""
    try:
        address = ip_address(raw)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def counted_as(address: str | None) -> str | None:
    """What limits count: who has a line of IPv6 has 2^64 addresses, so all of its /64 (RFC 6177, section 2) are one caller."""
    found = parse_address(address or "")
    return str(ip_network((found, LINE_BITS), strict=False)) if isinstance(found, IPv6Address) else address


def neighbours(address: str) -> tuple[str, str]:
    """The first and the last address that are counted as this one."""
    network = ip_network(counted_as(address) or address)
    return str(network[0]), str(network[-1])


def parse_network(raw: str) -> str:
    """``192.0.2.0/24``, ``2001:db8::/32`` or one address, in its one written form. Raises ``ValueError``."""
    network = ip_network(raw.strip(), strict=False)
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is not None and network.prefixlen >= MAPPED_BITS:
        network = ip_network(f"{mapped}/{network.prefixlen - MAPPED_BITS}", strict=False)
    return str(network)


def is_within(address: str | None, networks: Iterable[str]) -> bool:
    """An address that is not known is within none."""
    found = parse_address(address or "")
    return found is not None and any(found in ip_network(network) for network in networks)


def are_within(networks: Iterable[str], others: Iterable[str]) -> bool:
    """Is everything in ``networks`` in one of ``others`` too? Both as ``parse_network`` gives them; none means anywhere."""
    wide = [ip_network(each) for each in others]
    narrow = [ip_network(each) for each in networks]
    if not wide:
        return True
    return bool(narrow) and all(any(_is_inside(each, other) for other in wide) for each in narrow)


def _is_inside(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    if isinstance(inner, IPv4Network) and isinstance(outer, IPv4Network):
        return inner.subnet_of(outer)
    return isinstance(inner, IPv6Network) and isinstance(outer, IPv6Network) and inner.subnet_of(outer)
