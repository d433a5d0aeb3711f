"""Samples are made for whoever looks: what was kept of records before goes."""

from django.db import migrations


def forget_values(apps, _schema_editor):
    """Of a change of schema the plan kept titles and values of records beside their ids."""
    operations = apps.get_model("bulk", "Operation").objects.filter(
        kind="records.migrate", dry_run__found__problems__isnull=False
    )
    for operation in operations.iterator(chunk_size=100):
        for problem in operation.dry_run["found"]["problems"]:
            problem["samples"] = [{"record": each["record"]} for each in problem.get("samples", [])]
        operation.save(update_fields=["dry_run"])


class Migration(migrations.Migration):
    dependencies = [("bulk", "0004_clocks_and_patience")]

    operations = [
        migrations.RunSQL(
            "UPDATE bulk_operation SET dry_run = dry_run - 'samples' WHERE dry_run ? 'samples'",
            migrations.RunSQL.noop,
            elidable=True,
        ),
        migrations.RunPython(forget_values, migrations.RunPython.noop, elidable=True),
    ]
