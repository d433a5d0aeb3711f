"""Steps keep what could not be taken back; runs know whether they were given up."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("workflows", "0006_who_sees_a_run"),
    ]

    operations = [
        migrations.AddField(
            model_name="run",
            name="is_given_up",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddField(
            model_name="step",
            name="kept",
            field=models.JSONField(db_default=[], default=list, editable=False),
        ),
    ]
