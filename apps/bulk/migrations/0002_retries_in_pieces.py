"""What is tried again of a large operation is put back in pieces."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("bulk", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="operation", name="retry_at", field=models.DateTimeField(null=True)
        ),
        migrations.AddField(
            model_name="operation", name="retry_after", field=models.PositiveIntegerField(default=0, db_default=0)
        ),
        migrations.AddField(
            model_name="operation",
            name="retry_cancelled",
            field=models.BooleanField(default=False, db_default=False),
        ),
    ]
