"""Pieces of a long text know whether what they say was suggested before somebody went on reading."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("extraction", "0015_vectors_of_records")]

    operations = [
        migrations.AddField(
            model_name="extractionpart",
            name="is_suggested",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
