from django.db import migrations, models
from django.db.models import F, Q


def begin_anew(apps, schema_editor):
    """All records are behind once: those that are there get keys, titles and what is missing as their collection says today."""
    apps.get_model("extraction", "Collection").objects.update(shape_number=F("schema_number") + 1)


class Migration(migrations.Migration):
    dependencies = [("extraction", "0006_follow_ups")]

    operations = [
        migrations.AddField(
            model_name="collection",
            name="shape_number",
            field=models.PositiveIntegerField(db_default=1, default=1, editable=False),
        ),
        # The column and its index stay what they are: only what they are called here changes.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveIndex(model_name="record", name="extraction_record_blocks"),
                migrations.RenameField(model_name="record", old_name="blocks_number", new_name="shape_number"),
                migrations.AlterField(
                    model_name="record",
                    name="shape_number",
                    field=models.PositiveIntegerField(
                        db_column="blocks_number", db_default=0, default=0, editable=False
                    ),
                ),
                migrations.AddIndex(
                    model_name="record",
                    index=models.Index(
                        condition=Q(("deleted_at", None)),
                        fields=["collection", "shape_number"],
                        name="extraction_record_blocks",
                    ),
                ),
            ]
        ),
        migrations.RunPython(begin_anew, migrations.RunPython.noop),
    ]
