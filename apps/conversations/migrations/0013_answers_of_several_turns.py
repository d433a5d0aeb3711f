from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0012_words_without_accents"),
    ]

    operations = [
        migrations.AddField(
            model_name="turn",
            name="has_others",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
    ]
