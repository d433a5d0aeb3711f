"""A wish for more records than are made at once knows how many were asked for."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("extraction", "0023_target_changes")]

    operations = [
        migrations.AddField(
            model_name="wish",
            name="asked_count",
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
    ]
