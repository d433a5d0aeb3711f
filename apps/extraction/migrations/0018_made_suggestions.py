"""What an operation makes up can be suggested first; suggestions know the record that accepting them made."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("extraction", "0017_readers_of_collections")]

    operations = [
        migrations.AddField(
            model_name="extractionrun",
            name="operation_id",
            field=models.UUIDField(editable=False, null=True),
        ),
        migrations.AddConstraint(
            model_name="extractionrun",
            constraint=models.UniqueConstraint(
                condition=models.Q(("operation_id__isnull", False)),
                fields=("organization", "operation_id"),
                name="extraction_run_of_operation",
            ),
        ),
        migrations.AddField(
            model_name="proposal",
            name="made_id",
            field=models.UUIDField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="wish",
            name="is_reviewed",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
