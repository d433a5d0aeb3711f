"""``python -m tests.seeding``: people with keys and a scripted provider, in the database of a running stack; prints JSON."""

import argparse
import json
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from apps.accounts.types import OrganizationRole  # noqa: E402
from apps.llm.models import Model, ModelDefaults, Provider  # noqa: E402
from tests.accounts.factories import OrganizationFactory, ProjectFactory, UserFactory, join, key_of  # noqa: E402


def people(count: int, *, each_organization: int, provider_url: str, fallback: bool = False) -> list[dict]:
    """``count`` people in organizations of ``each_organization``, each organization with the provider's models."""
    made = []
    for start in range(0, count, each_organization):
        organization = OrganizationFactory(slug=f"seeded-{start}-{os.getpid()}")
        project = ProjectFactory(organization=organization)
        models = _models(organization, provider_url, fallback=fallback) if provider_url else {}
        for number in range(start, min(start + each_organization, count)):
            user = UserFactory(email=f"seeded-{os.getpid()}-{number}@example.org")
            join(user, organization, role=OrganizationRole.OWNER if number == start else OrganizationRole.MEMBER)
            made.append(
                {
                    "user": str(user.pk),
                    "organization": str(organization.pk),
                    "project": str(project.pk),
                    "key": key_of(user, organization),
                    "models": models,
                }
            )
    return made


def _models(organization, provider_url: str, *, fallback: bool) -> dict[str, str]:
    provider = Provider.objects.create(
        organization=organization, kind="openai-compatible", name="stub", base_url=provider_url, api_key="sk-seeded"
    )
    found = {
        name: Model.objects.create(organization=organization, provider=provider, name=name)
        for name in ("stub-small", "stub-large")
    }
    defaults = {"default": found["stub-small"], "fallback": found["stub-large"] if fallback else None}
    ModelDefaults.objects.update_or_create(organization=organization, defaults=defaults)
    return {name: str(model.pk) for name, model in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, default=1)
    parser.add_argument("--each-organization", type=int, default=10)
    parser.add_argument("--provider", default="")
    parser.add_argument("--fallback", action="store_true")
    given = parser.parse_args()
    made = people(
        given.people,
        each_organization=given.each_organization,
        provider_url=given.provider,
        fallback=given.fallback,
    )
    print(json.dumps(made))


if __name__ == "__main__":
    main()
