"""All providers: the platform's from the environment, the organizations' from rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.conf import settings

from apps.accounts.models import IdentityProvider
from apps.accounts.types import IdentityProviderKind

ISSUERS = {
    IdentityProviderKind.GOOGLE: "https://accounts.google.com",
    IdentityProviderKind.MICROSOFT: "https://login.microsoftonline.com/common/v2.0",
}


@dataclass(frozen=True, slots=True)
class Known:
    """``row`` is None for the platform's own, which speak for no organization."""

    slug: str
    name: str
    kind: IdentityProviderKind
    issuer: str
    client_id: str
    secret: str
    row: IdentityProvider | None = None


def find_known(slug: str) -> Known | None:
    if (own := platform_providers().get(slug)) is not None:
        return own
    return find_all([slug]).get(slug)


def find_all(slugs: Iterable[str]) -> dict[str, Known]:
    """By short name, those of them that are on: one query at most."""
    wanted = set(slugs)
    found = {slug: known for slug, known in platform_providers().items() if slug in wanted}
    if left := wanted - found.keys():
        rows = IdentityProvider.objects.filter(slug__in=left, is_enabled=True, organization__deleted_at=None)
        found |= {row.slug: of_row(row) for row in rows}
    return found


def of_row(row: IdentityProvider) -> Known:
    kind = IdentityProviderKind(row.kind)
    issuer = row.issuer or ISSUERS.get(kind, "")
    return Known(row.slug, row.name, kind, issuer, row.client_id, row.client_secret, row)


def platform_providers() -> dict[str, Known]:
    return {
        slug: Known(
            slug,
            said["name"],
            IdentityProviderKind(said["kind"]),
            said.get("issuer", ""),
            said["client_id"],
            said["secret"],
        )
        for slug, said in settings.PARLANCE_IDENTITY_PROVIDERS.items()
    }


def list_connected(user: Any) -> list[Known]:
    """Through which of those that are on this person can sign in, in the order in which they were connected."""
    slugs = list(SocialAccount.objects.filter(user=user).order_by("pk").values_list("provider", flat=True))
    known = find_all(slugs)
    return [known[slug] for slug in dict.fromkeys(slugs) if slug in known]


def list_offered() -> list[Known]:
    """On the sign-in page: the platform's, and those of the home organization. Others have an address of their own."""
    rows = IdentityProvider.objects.filter(organization__is_home=True, is_enabled=True).order_by("name")
    return [*platform_providers().values(), *map(of_row, rows)]
