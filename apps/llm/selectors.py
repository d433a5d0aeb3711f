"""Every shared read of providers and models."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from apps.core.errors import FieldError, Invalid
from apps.llm.models import Model, ModelDefaults


def list_enabled_models(*, organization_id: UUID) -> QuerySet[Model]:
    return Model.objects.select_related("provider").filter(
        organization_id=organization_id, is_enabled=True, provider__is_enabled=True
    )


def find_default_model(*, organization_id: UUID) -> Model | None:
    """Who answers when nobody is named: the chosen default, else the first that is switched on."""
    enabled = list_enabled_models(organization_id=organization_id)
    chosen = ModelDefaults.objects.filter(organization_id=organization_id).values("default")
    return enabled.filter(pk__in=chosen).first() or enabled.order_by("created_at").first()


def get_model(*, organization_id: UUID, reference: str) -> Model:
    """``reference`` is an id, ``provider/name`` or a bare name that is unique; else ``Invalid``."""
    rows = list_enabled_models(organization_id=organization_id)
    try:
        found = list(rows.filter(pk=UUID(reference)))
    except ValueError:
        provider, slash, name = reference.partition("/")
        found = list(rows.filter(provider__name=provider, name=name)) if slash else []
        found = found or list(rows.filter(name=reference)[:2])
    if len(found) != 1:
        code = "ambiguous" if found else "unknown"
        raise Invalid(fields=[FieldError("model", code, _("No model, or more than one, is called that."))])
    return found[0]


def find_model_by_spoken_name(*, organization_id: UUID, said: str) -> Model | None:
    """The model whose name or label begins what was said after ``@`` (case-folded); the longest wins."""

    def fits(name: str) -> bool:
        folded = name.casefold()
        return bool(folded) and said.startswith(folded) and not said[len(folded) : len(folded) + 1].isalnum()

    found = [
        (len(name), model)
        for model in list_enabled_models(organization_id=organization_id)
        for name in (model.name, model.label, f"{model.provider.name}/{model.name}")
        if fits(name)
    ]
    return max(found, key=lambda pair: pair[0])[1] if found else None
