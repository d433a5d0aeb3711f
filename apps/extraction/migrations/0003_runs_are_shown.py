from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("extraction", "0002_extraction_runs")]

    operations = [
        migrations.AddField("extractionrun", "shown_in", models.UUIDField(editable=False, null=True)),
        migrations.AddField("extractionrun", "shown_under", models.UUIDField(editable=False, null=True)),
        migrations.AddField(
            "extractionrun",
            "cause",
            models.CharField(
                choices=[
                    ("asked", "Somebody asked"),
                    ("message", "The project reads every message"),
                    ("answer", "Something was asked in the conversation"),
                ],
                db_default="asked",
                default="asked",
                editable=False,
                max_length=7,
            ),
        ),
        migrations.AddIndex("extractionrun", models.Index(fields=["shown_under"], name="extraction_run_shown")),
        migrations.AddConstraint(
            "extractionrun",
            models.UniqueConstraint(
                condition=~Q(cause="asked"), fields=("organization", "message_id"), name="extraction_run_once"
            ),
        ),
    ]
