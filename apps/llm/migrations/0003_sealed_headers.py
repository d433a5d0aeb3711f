import json

from django.db import migrations

import apps.core.crypto


def seal(apps, schema_editor):
    for provider in apps.get_model("llm", "Provider").objects.exclude(headers={}):
        provider.sealed_headers = json.dumps(provider.headers)
        provider.save(update_fields=["sealed_headers"])


class Migration(migrations.Migration):
    """Values of extra headers are secrets as the key is: tokens of gateways, for one."""

    dependencies = [("llm", "0002_ledger_and_budgets")]

    operations = [
        migrations.AddField(
            model_name="provider",
            name="sealed_headers",
            field=apps.core.crypto.EncryptedTextField(blank=True, default="", editable=False),
        ),
        migrations.RunPython(seal, migrations.RunPython.noop),
        migrations.RemoveField(model_name="provider", name="headers"),
    ]
