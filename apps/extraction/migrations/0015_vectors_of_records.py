import apps.core.ids
import apps.extraction.models.vectors
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0009_sessions_proved_and_idle"), ("extraction", "0014_incomplete_records")]

    operations = [
        # There already where the database was prepared as the docs say; otherwise the owner may have the right to.
        migrations.RunSQL("CREATE EXTENSION IF NOT EXISTS vector", migrations.RunSQL.noop),
        migrations.CreateModel(
            name="RecordVector",
            fields=[
                ("id", models.UUIDField(default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("model_id", models.UUIDField()),
                ("vector", apps.extraction.models.vectors.VectorField(null=True)),
                ("is_due", models.BooleanField(default=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("lease_until", models.DateTimeField(null=True)),
                (
                    "collection",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="extraction.collection",
                    ),
                ),
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
                    "record",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="extraction.record",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["record"], name="extraction_vector_record"),
                    models.Index(fields=["collection", "model_id"], name="extraction_vector_near"),
                    models.Index(
                        condition=models.Q(("is_due", True)), fields=["updated_at"], name="extraction_vector_due"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "record"), name="extraction_vector_once")
                ],
            },
        ),
    ]
