"""Since when a provider is known to work: its last good test, or any answer that the ledger has."""

from django.db import migrations, models
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Now


def note_what_worked(apps, schema_editor):
    providers = apps.get_model("llm", "Provider").objects.filter(checked_at__isnull=False)
    providers.filter(check_code="").update(worked_at=F("checked_at"))
    answers = apps.get_model("llm", "CallAttempt").objects.filter(provider_id=OuterRef("pk"), status="completed")
    providers.exclude(check_code="").filter(Exists(answers)).update(worked_at=Now())


class Migration(migrations.Migration):
    dependencies = [("llm", "0005_absent")]

    operations = [
        migrations.AddField(
            model_name="provider",
            name="worked_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.RunPython(note_what_worked, migrations.RunPython.noop),
    ]
