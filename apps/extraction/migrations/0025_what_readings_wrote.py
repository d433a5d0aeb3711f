from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('extraction', '0024_asked_count'),
    ]

    operations = [
        migrations.AddField(
            model_name='extractionrun',
            name='wrote',
            field=models.JSONField(db_default=[], default=list, editable=False),
        ),
    ]
