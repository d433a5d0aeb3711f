"""An index for the record that has a title, whatever its case: a row of an import may ask for several."""

import django.db.models.functions.text
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # people go on writing while the index is made

    dependencies = [("extraction", "0007_shapes_of_collections")]

    operations = [
        AddIndexConcurrently(
            model_name="record",
            index=models.Index(
                models.F("collection"),
                django.db.models.functions.text.Upper("title"),
                condition=models.Q(("deleted_at", None)),
                name="extraction_record_named",
            ),
        ),
    ]
