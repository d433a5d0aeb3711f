"""Samples are made for whoever looks: what was kept of records before goes."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("bulk", "0004_clocks_and_patience")]

    operations = [
        migrations.RunSQL(
            "UPDATE bulk_operation SET dry_run = dry_run - 'samples' WHERE dry_run ? 'samples'",
            migrations.RunSQL.noop,
            elidable=True,
        ),
    ]
