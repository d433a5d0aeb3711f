"""Who could take nothing saves nothing up; a tired provider rests; the dearest start is what a budget reckons with."""

import django.db.models.functions.datetime
from django.db import migrations, models

import apps.core.ids


class Migration(migrations.Migration):
    dependencies = [("bulk", "0003_causes_are_counted")]

    operations = [
        migrations.CreateModel(
            name="LaneClock",
            fields=[
                (
                    "id",
                    models.UUIDField(default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "lane",
                    models.CharField(
                        choices=[("inside", "inside"), ("outside", "outside")], max_length=8, unique=True
                    ),
                ),
                ("served", models.FloatField(default=0)),
            ],
            options={"verbose_name": "clock of a lane", "verbose_name_plural": "clocks of lanes"},
        ),
        migrations.AddField("item", "put_off", models.FloatField(default=0, db_default=0)),
        migrations.AddField(
            "operation", "dearest", models.DecimalField(max_digits=18, decimal_places=8, default=0, db_default=0)
        ),
        migrations.AddField("operation", "pace_at", models.DateTimeField(null=True)),
        migrations.AddField("operation", "pace_ended", models.IntegerField(default=0, db_default=0)),
        migrations.AddField("share", "clock", models.FloatField(default=0, db_default=0)),
        migrations.AddField("sharedresource", "rests_until", models.DateTimeField(null=True)),
    ]
