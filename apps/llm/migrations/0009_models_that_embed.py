from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("llm", "0008_purpose_generate")]

    operations = [
        migrations.AddField(
            model_name="model",
            name="can_embed",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AlterField(
            model_name="callattempt",
            name="purpose",
            field=models.CharField(
                choices=[
                    ("chat", "chat"),
                    ("title", "title"),
                    ("api", "api"),
                    ("extract", "extract"),
                    ("generate", "generate"),
                    ("embed", "embed"),
                ],
                max_length=8,
            ),
        ),
    ]
