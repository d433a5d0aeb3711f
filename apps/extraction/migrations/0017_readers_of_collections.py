import apps.core.ids
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_sessions_proved_and_idle"),
        ("extraction", "0016_go_on_reading"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="collection",
            name="visibility",
            field=models.CharField(
                choices=[("project", "Everyone in the project"), ("named", "Only who is named")],
                db_default="project",
                default="project",
                max_length=7,
                verbose_name="who sees it",
            ),
        ),
        migrations.CreateModel(
            name="CollectionReader",
            fields=[
                ("id", models.UUIDField(default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("updated_at", models.DateTimeField(auto_now=True)),
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
                    "team",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.team",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "reader of a collection",
                "verbose_name_plural": "readers of collections",
                "indexes": [models.Index(fields=["collection"], name="extraction_reader_list")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("team__isnull", False), ("user", None), _connector="AND"
                        ) | models.Q(("team", None), ("user__isnull", False)),
                        name="extraction_reader_of_one",
                    ),
                    models.UniqueConstraint(
                        fields=("organization", "collection", "user", "team"),
                        name="extraction_reader_once",
                        nulls_distinct=False,
                    ),
                ],
            },
        ),
    ]
