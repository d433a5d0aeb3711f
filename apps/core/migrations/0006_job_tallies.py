"""How often jobs and sweeps ran, by day."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0005_suspicions")]

    operations = [
        migrations.CreateModel(
            name="JobTally",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=80)),
                ("day", models.DateField()),
                ("runs", models.PositiveIntegerField()),
                ("failures", models.PositiveIntegerField()),
                ("seconds", models.FloatField()),
                ("longest_seconds", models.FloatField()),
                ("last_at", models.DateTimeField()),
            ],
            options={"constraints": [models.UniqueConstraint(fields=("name", "day"), name="core_jobtally_once")]},
        ),
    ]
