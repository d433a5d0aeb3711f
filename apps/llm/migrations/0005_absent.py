"""Why a provider or a model is off: rows that are off now count as switched off by a person, so that nothing comes back unasked."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("llm", "0004_purposes_of_calls")]

    operations = [
        migrations.AddField(
            model_name=name,
            name="is_absent",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        )
        for name in ("provider", "model")
    ]
