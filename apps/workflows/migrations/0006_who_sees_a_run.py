"""A run knows of which collections it holds words."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("workflows", "0005_secrets"),
    ]

    operations = [
        migrations.AddField(
            model_name="run",
            name="collections",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.UUIDField(), db_default=[], default=list, editable=False, size=None
            ),
        ),
    ]
