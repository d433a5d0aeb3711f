from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("core", "0006_job_tallies")]

    operations = [
        migrations.AlterModelOptions(
            name="jobtally", options={"verbose_name": "job tally", "verbose_name_plural": "job tallies"}
        ),
    ]
