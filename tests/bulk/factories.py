"""Operations made through the services, their plans written by the engine, in this process."""

from django.db.models import Count

from apps.accounts.models import Team
from apps.bulk import engine, samples, services
from apps.bulk.models import COUNTED, Item, Operation


def write_team(work):
    Team.objects.create(organization_id=work.scope.organization_id, name=f"{work.effect_key}")


def remove_team(work):
    original = Operation.objects.get(pk=work.scope.operation_id).undoes_id
    Team.objects.get(name=f"{original}:{work.payload['number']}").delete()


def teams():
    return Team.objects.count()


def planned(actor, project, kind="sample.notes", *, start=True, priority=2, **params):
    options = {
        name: params.pop(name)
        for name in ("budget", "currency", "concurrency", "rate_per_second", "deadline", "key")
        if name in params
    }
    operation = services.create_operation(
        actor=actor, project_id=project.pk, kind=kind, params=params, start=start, priority=priority, **options
    )
    engine.plan_operation(operation_id=operation.pk)
    return fresh(operation)


def ran(actor, project, kind="sample.notes", **params):
    operation = planned(actor, project, kind, **params)
    engine.run_all()
    return fresh(operation)


def shown(operation, viewer):
    """What whoever looks now is shown of its first items."""
    return samples.dry_run_for(viewer, fresh(operation))["samples"]


def fresh(operation):
    return Operation.objects.get(pk=operation.pk)


def counts(operation):
    """Those of the row, without zeros; they are those of the items."""
    row = fresh(operation)
    said = {name: getattr(row, name) for name in COUNTED}
    there = {name: Item.objects.filter(operation=row, status=name).count() for name in COUNTED}
    assert said == there
    failed = Item.objects.filter(operation=row, status="failed").order_by().values_list("error_code")
    assert row.causes == dict(failed.annotate(Count("pk")))
    skipped = Item.objects.filter(operation=row, status="skipped").order_by().values_list("result__skipped")
    assert row.skips == dict(skipped.annotate(Count("pk")))
    return {name: number for name, number in said.items() if number}
