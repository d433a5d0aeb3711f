"""Turns of answers that were continued are found without looking at all: what the turns of an answer took is summed."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

OTHERS = """
UPDATE conversations_turn AS turn SET has_others = true FROM conversations_message AS message
WHERE message.turn_id = turn.id
  AND EXISTS (SELECT FROM conversations_turn AS other WHERE other.message_id = message.id AND other.id <> turn.id)
"""


class Migration(migrations.Migration):
    atomic = False  # people go on writing while the index is made

    dependencies = [
        ("conversations", "0012_words_without_accents"),
    ]

    operations = [
        migrations.AddField(
            model_name="turn",
            name="has_others",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.RunSQL(OTHERS, migrations.RunSQL.noop, elidable=True),
        AddIndexConcurrently(
            model_name="turn",
            index=models.Index(
                condition=models.Q(("has_others", True)),
                fields=["organization", "created_at"],
                name="conversations_turn_others",
            ),
        ),
    ]
