from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('workflows', '0002_way_back'),
    ]

    operations = [
        migrations.AddField(
            model_name='definitionversion',
            name='text',
            field=models.TextField(blank=True, default='', editable=False),
        ),
    ]
