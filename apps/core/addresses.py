"""Which network addresses an outgoing call may reach. Judged on what the name resolves to, never on how it is spelled."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from apps.core.errors import Invalid

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]


class AddressRefused(Invalid):
    """The detail never says what the name resolved to: that would make the refusal a scanner."""

    code = "address_refused"
    default_detail = _(
        "This address cannot be reached from here: only public http and https addresses are, and those inside that whoever runs this server has opened (PARLANCE_ALLOW_PRIVATE_ADDRESSES)."
    )


class AddressNotListed(AddressRefused):
    code = "address_not_listed"
    default_detail = _(
        "This address is not among those that may be called from here. Whoever runs this server keeps the list."
    )


#: Never reachable, whoever asks: nobody's address, everybody's address, and where clouds hand out credentials.
NEVER = tuple(
    ipaddress.ip_network(each)
    for each in (
        "0.0.0.0/8",
        "169.254.0.0/16",
        "224.0.0.0/4",
        "255.255.255.255/32",
        "168.63.129.16/32",  # Azure's wire server, outside link-local
        "100.100.100.200/32",  # Alibaba's metadata, inside the CGNAT block
        "::/128",
        "fe80::/10",
        "ff00::/8",
        "fd00:ec2::254/128",  # AWS metadata over IPv6, inside ULA
        "fd20:ce::254/128",  # Google's
    )
)
#: Not public beyond what ``is_global`` knows in every Python we run on.
PRIVATE = tuple(
    ipaddress.ip_network(each)
    for each in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "240.0.0.0/4",
        "::1/128",
        "100::/64",
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fec0::/10",
    )
)
METADATA_NAMES = frozenset(
    {"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"}
)
#: Blocks whose last or middle bits are an IPv4 address: prefix → how far to shift right.
CARRIERS = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),  # mapped
    (ipaddress.IPv6Network("::ffff:0:0:0/96"), 0),  # translated (RFC 2765)
    (ipaddress.IPv6Network("::/96"), 0),  # compatible (deprecated)
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),  # NAT64 (RFC 6052)
    (ipaddress.IPv6Network("2002::/16"), 80),  # 6to4
)
LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")


@dataclass(frozen=True, slots=True)
class Policy:
    """``allows_private``: the operator chose the host, so a model server on this machine or network is fine."""

    name: str
    allows_private: bool = False
    follows_redirects: bool = True
    resolve: Resolve | None = field(default=None, compare=False)


PUBLIC = Policy("public")
TRUSTED = Policy("trusted", allows_private=True, follows_redirects=False)


def system_resolve(host: str, port: int) -> Sequence[str]:
    """All addresses of ``host``, in the order of the system's preference."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def carried_ipv4(address: IPAddress) -> ipaddress.IPv4Address | None:
    """The IPv4 address inside a mapped, translated, NAT64 or 6to4 one."""
    if isinstance(address, ipaddress.IPv4Address) or int(address) <= 1:
        return None
    for network, shift in CARRIERS:
        if address in network:
            return ipaddress.IPv4Address((int(address) >> shift) & 0xFFFFFFFF)
    return None


def _is_in(address: IPAddress, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def is_never_reachable(address: IPAddress) -> bool:
    inner = carried_ipv4(address)
    return _is_in(address, NEVER) or (inner is not None and _is_in(inner, NEVER))


def is_public(address: IPAddress) -> bool:
    inner = carried_ipv4(address)
    if inner is not None:
        return is_public(inner)
    if address in LOCAL_NAT64:
        return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or _is_in(address, NEVER) or _is_in(address, PRIVATE)
    )


def _allowed_by_operator(host: str, address: IPAddress) -> bool:
    """``PARLANCE_ALLOW_PRIVATE_ADDRESSES`` lists hosts and networks (CIDR) that are fine for everybody here."""
    for entry in settings.PARLANCE_ALLOW_PRIVATE_ADDRESSES:
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            if host == entry.lower().rstrip("."):
                return True
            continue
        if _is_in(carried_ipv4(address) or address, [network]):
            return True
    return False


def _names_and_networks(entries: Iterable[str]) -> tuple[set[str], list[ipaddress.IPv4Network | ipaddress.IPv6Network]]:
    names, networks = set(), []
    for entry in entries:
        try:
            networks.append(ipaddress.ip_network(entry, strict=False))
        except ValueError:
            names.add(entry.lower().rstrip("."))
    return names, networks


def require_listed(host: str, addresses: Iterable[str] | None) -> None:
    """``PARLANCE_OUTGOING_HOSTS`` lists names (``api.example.com``, ``*.example.com``) and networks that may be called.

    Without it every host may be that the rest of this module allows. Every one of ``addresses`` has to be in a network
    when the name is not listed; without them (``None``: not resolved yet) networks refuse nothing. Raises ``AddressNotListed``.
    """
    if not settings.PARLANCE_OUTGOING_HOSTS:
        return
    names, networks = _names_and_networks(settings.PARLANCE_OUTGOING_HOSTS)
    parents = {"*" + host[dot:] for dot, character in enumerate(host) if character == "."}
    if host in names or not parents.isdisjoint(names):
        return
    if addresses is None and networks:
        return
    judged = [ipaddress.ip_address(each.partition("%")[0]) for each in addresses or ()]
    if not judged or not all(_is_in(carried_ipv4(each) or each, networks) for each in judged):
        raise AddressNotListed


def is_allowed(host: str, address: IPAddress, policy: Policy) -> bool:
    if is_never_reachable(address):
        return False
    return policy.allows_private or is_public(address) or _allowed_by_operator(host, address)


def _literal(host: str) -> IPAddress | None:
    """``host`` as an address in any spelling that a resolver would take: dotted, short, decimal, octal, hexadecimal."""
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def normal_host(host: str) -> str:
    """Lower case, no trailing dot, internationalized names in ASCII; raises ``AddressRefused`` for what is no host name."""
    host = host.strip("[]").rstrip(".").lower()
    if not host.isascii():
        # The codec applies nameprep, which folds full-width and circled digits: 127.0.0.1 in disguise becomes itself.
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            raise AddressRefused from None
    if not host or len(host) > 253 or any(character in host for character in "%@/\\ \t\r\n\x00"):  # noqa: PLR2004
        raise AddressRefused
    if host in METADATA_NAMES:
        raise AddressRefused
    return host


def checked_addresses(host: str, port: int, policy: Policy) -> list[str]:
    """Resolve once and judge every answer; one bad answer refuses the name, so that a mixed reply gives nothing away.

    The caller connects to what is returned, never to the name again (DNS rebinding). Raises ``AddressRefused``,
    ``AddressNotListed``, or ``OSError`` when the name does not resolve.
    """
    host = normal_host(host)
    literal = _literal(host)
    if literal is not None:
        answers: Sequence[str] = [str(literal)]
    else:
        require_listed(host, None)  # a name that may not be called is not asked for either
        answers = (policy.resolve or system_resolve)(host, port)
    if not answers:
        raise socket.gaierror(socket.EAI_NONAME, "no address")
    for answer in answers:
        if not is_allowed(host, ipaddress.ip_address(answer.partition("%")[0]), policy):
            raise AddressRefused
    require_listed(host, answers)
    return list(answers)


RESOLVE_SECONDS = 3.0
_resolvers = ThreadPoolExecutor(max_workers=4, thread_name_prefix="resolve")


def check_url(url: str, policy: Policy = PUBLIC, *, resolves: bool = True) -> str:
    """For forms and services that keep an address for later: refuse now what a call would refuse.

    The call itself checks again. With ``resolves=False`` only spelled-out addresses are judged (no network inside a
    transaction). A name that does not resolve at the moment, or within three seconds, is kept.
    """
    if any(character in url for character in "\\\r\n\t\x00 "):
        raise AddressRefused
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressRefused from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or port == 0:
        raise AddressRefused
    host = normal_host(parts.hostname)
    literal = _literal(host)
    if literal is not None:
        if not is_allowed(host, literal, policy):
            raise AddressRefused
        require_listed(host, [str(literal)])
    elif host == "localhost" or host.endswith(".localhost"):
        checked_addresses(host, 0, replace(policy, resolve=lambda _host, _port: ["127.0.0.1"]))
    elif not resolves:
        require_listed(host, None)
    else:
        try:
            # The system's resolver knows no time limit of ours: it may ask several servers several times.
            _resolvers.submit(checked_addresses, host, port or 443, policy).result(timeout=RESOLVE_SECONDS)
        except OSError:  # TimeoutError is one
            return url
    return url
