"""An organization that is erased piece by piece says so, and how far it is."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0009_sessions_proved_and_idle"),
    ]

    operations = [
        migrations.AddField(
            model_name="organization",
            name="erased_for",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=8),
        ),
        migrations.AddField(
            model_name="organization",
            name="erased_rows",
            field=models.JSONField(db_default={}, default=dict, editable=False),
        ),
    ]
