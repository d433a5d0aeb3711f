from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('extraction', '0018_made_suggestions'),
    ]

    operations = [
        migrations.AddField(
            model_name='wish',
            name='kind',
            field=models.CharField(choices=[('records', 'Records'), ('collection', 'A collection')], db_default='records', default='records', editable=False, max_length=10),
        ),
    ]
