from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("extraction", "0019_described_collections")]

    operations = [
        migrations.AlterModelOptions(
            name="recordtally", options={"verbose_name": "record tally", "verbose_name_plural": "record tallies"}
        ),
    ]
