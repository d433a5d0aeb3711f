"""The default is the database's own: the release before this one writes turns without it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("conversations", "0005_deleted_for_long")]

    operations = [
        migrations.AddField(
            model_name="turn",
            name="priority",
            field=models.SmallIntegerField(db_default=2, default=2, editable=False),
        ),
    ]
