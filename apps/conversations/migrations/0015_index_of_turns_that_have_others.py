from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # people go on writing while the index is made

    dependencies = [
        ("conversations", "0014_turns_that_have_others"),
    ]

    operations = [
        # One that was not finished before is made anew.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS conversations_turn_others", migrations.RunSQL.noop),
        AddIndexConcurrently(
            model_name="turn",
            index=models.Index(
                condition=models.Q(("has_others", True)),
                fields=["organization", "created_at"],
                name="conversations_turn_others",
            ),
        ),
    ]
