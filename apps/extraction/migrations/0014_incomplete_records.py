"""An index for the records that are not complete, among many that are."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # people go on writing while the index is made

    dependencies = [("extraction", "0013_record_tallies")]

    operations = [
        AddIndexConcurrently(
            model_name="record",
            index=models.Index(
                fields=["collection", "-created_at", "-id"],
                name="extraction_record_incomplete",
                condition=models.Q(("deleted_at", None), ("is_complete", False)),
            ),
        ),
    ]
