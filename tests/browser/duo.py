"""Two people in one project whose model is the scripted provider; run inside a stack by ``hire``."""

from __future__ import annotations

import json
import uuid
from typing import Any

from playwright.sync_api import Page

from tests.stack import Stack

PASSWORD = "correct horse battery"  # as the factories give it
SESSION = "parlance_session"


def hire(stack: Stack, provider_url: str, signed_in: bool = True) -> dict[str, Any]:
    """``signed_in`` for ``states``; where a mail server is set, who signs in otherwise after that is asked for a code."""
    code = f"import json; from tests.browser import duo; print('DUO ' + json.dumps(duo.make({provider_url!r}, {signed_in})))"
    output = stack.manage("shell", "--no-imports", "-c", code)
    line = next(line for line in output.splitlines() if line.startswith("DUO "))
    return json.loads(line.removeprefix("DUO "))


def make(provider_url: str, signed_in: bool) -> dict[str, str]:
    from allauth.account.models import EmailAddress
    from django.test import Client

    from apps.llm.models import Model, ModelDefaults, Provider
    from tests.accounts.factories import ProjectFactory, UserFactory, join

    house = uuid.uuid4().hex[:8]  # a stack may have several such pairs
    ines = UserFactory(email=f"ines@{house}.example", name="Inês Duarte")
    project = ProjectFactory(
        owner=ines,
        name="The Port of Lisbon",
        organization__name="Alfama Pictures",
        organization__slug=f"alfama-{house}",
    )
    daniel = UserFactory(email=f"daniel@{house}.example", name="Daniel Okoye")
    join(daniel, project.organization)
    provider = Provider.objects.create(
        organization=project.organization,
        kind="openai-compatible",
        name="stub",
        base_url=provider_url,
        api_key="sk-tests",
    )
    model = Model.objects.create(organization=project.organization, provider=provider, name="stub-small")
    ModelDefaults.objects.update_or_create(organization=project.organization, defaults={"default": model})
    found = {"project": str(project.pk), "model": str(model.pk)}
    for name, user in {"ines": ines, "daniel": daniel}.items():
        EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
        found |= {name: str(user.pk), f"{name}_email": user.email}
        if signed_in:
            client = Client()
            client.force_login(user)
            found[f"{name}_session"] = client.cookies[SESSION].value
    return found


def signed_in(stack: Stack, name: str) -> dict[str, Any]:
    """What a browser keeps of somebody who signed in; the page where one does has tests of its own."""
    where = {"domain": "127.0.0.1", "path": "/", "expires": -1, "httpOnly": True, "secure": False, "sameSite": "Lax"}
    return {"cookies": [{"name": SESSION, "value": stack.cast[f"{name}_session"], **where}], "origins": []}


def sign_in(page: Page, base_url: str, email: str) -> None:
    page.goto(f"{base_url}/accounts/login/")
    page.locator("input[name=login]").fill(email)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[name=password]").press("Enter")
    page.wait_for_url(f"{base_url}/")
