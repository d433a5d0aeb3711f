"""What was left out is counted by its reason when it happens, as failures are."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("bulk", "0005_samples_are_not_kept")]

    operations = [
        migrations.AddField(
            model_name="operation",
            name="skips",
            field=models.JSONField(db_default={}, default=dict, editable=False),
        ),
    ]
