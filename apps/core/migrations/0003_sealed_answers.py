from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0002_mechanisms'),
    ]

    operations = [
        migrations.RemoveField(model_name='idempotencykey', name='body'),
        migrations.AddField(
            model_name='idempotencykey',
            name='body',
            field=models.TextField(blank=True, default=''),
        ),
    ]
