"""Failures by their cause are counted when they happen."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("bulk", "0002_retries_in_pieces")]

    operations = [
        migrations.AddField(
            model_name="operation",
            name="causes",
            field=models.JSONField(db_default={}, default=dict, editable=False),
        ),
    ]
