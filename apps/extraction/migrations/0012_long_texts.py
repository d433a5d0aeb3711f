import apps.core.ids
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0009_sessions_proved_and_idle"), ("extraction", "0011_record_templates")]

    operations = [
        migrations.AddField("extractionrun", "characters", models.PositiveIntegerField(db_default=0, default=0)),
        migrations.AddField("extractionrun", "characters_read", models.PositiveIntegerField(db_default=0, default=0)),
        migrations.AddField("extractionrun", "parts", models.PositiveIntegerField(db_default=1, default=1)),
        migrations.AddField("extractionrun", "parts_done", models.PositiveIntegerField(db_default=0, default=0)),
        migrations.AddField(
            "extractionrun", "piece_size", models.PositiveIntegerField(db_default=0, default=0, editable=False)
        ),
        migrations.AddField("extractionrun", "stops_at", models.DateTimeField(editable=False, null=True)),
        migrations.AddField(
            "extractionrun", "stopped_by", models.CharField(blank=True, db_default="", default="", max_length=60)
        ),
        migrations.AddField("extractionrun", "unread", models.JSONField(db_default=[], default=list)),
        migrations.AddField(
            "extractionrun", "expected_cost", models.DecimalField(decimal_places=8, max_digits=18, null=True)
        ),
        migrations.AddField(
            "proposal", "schema_number", models.PositiveIntegerField(db_default=0, default=0, editable=False)
        ),
        migrations.AddField(
            "recordmerge", "schema_number", models.PositiveIntegerField(db_default=0, default=0, editable=False)
        ),
        migrations.CreateModel(
            name="ExtractionPart",
            fields=[
                (
                    "id",
                    models.UUIDField(default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("number", models.PositiveIntegerField()),
                ("start", models.PositiveIntegerField()),
                ("end", models.PositiveIntegerField()),
                ("digest", models.BinaryField(max_length=32)),
                ("answer", models.TextField(blank=True)),
                ("is_cut", models.BooleanField(default=False)),
                ("error_code", models.CharField(blank=True, max_length=60)),
                ("cost", models.DecimalField(decimal_places=8, default=0, max_digits=18)),
                ("is_told", models.BooleanField(default=False)),
                (
                    "organization",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="extraction.extractionrun"
                    ),
                ),
            ],
            options={
                "verbose_name": "piece that was read",
                "verbose_name_plural": "pieces that were read",
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "run", "number"), name="extraction_part_number")
                ],
            },
        ),
    ]
