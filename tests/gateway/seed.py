"""Rows for the door tests, made by a process of its own: ``manage.py shell -c "from tests.gateway.seed import seed; seed(…)"``."""

import json

from apps.agents.models import Agent
from apps.llm.models import Model, Provider
from tests.accounts.factories import ProjectFactory, UserFactory, key_of, member_of


def seed(provider_url: str) -> None:
    owner, other = UserFactory(), UserFactory()
    project, closed = ProjectFactory(owner=owner), ProjectFactory(owner=other)
    models = {}
    for place, prefix in ((project, "stub"), (closed, "hidden")):
        provider = Provider.objects.create(
            organization=place.organization, kind="openai", name=prefix, base_url=f"{provider_url}/v1"
        )
        for name in ("stub-small", "stub-large"):
            models[prefix, name] = Model.objects.create(
                organization=place.organization,
                provider=provider,
                name=name,
                max_output_tokens=64 if name == "stub-large" else None,
                can_see=True,
                can_call_tools=True,
            )
    twin = Provider.objects.create(
        organization=project.organization, kind="openai", name="twin", base_url=f"{provider_url}/v1"
    )
    Model.objects.create(organization=project.organization, provider=twin, name="stub-large")
    Agent.objects.create(
        organization=project.organization,
        project=project,
        name="Harbour pilot",
        instructions="Speak like a harbour pilot.",
        model=models["stub", "stub-small"],
        parameters={"temperature": 0.25},
    )
    print(
        json.dumps(
            {
                "key": key_of(owner, project.organization),
                "models_only": key_of(owner, project.organization, scopes=("models:read",)),
                "other": key_of(other, closed.organization),
                "ending": [key_of(member_of(project), project.organization) for _each in range(3)],
                "organization": str(project.organization_id),
            }
        )
    )
