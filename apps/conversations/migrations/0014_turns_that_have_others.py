"""What the turns of an answer took is summed: those of answers that were continued before say that there are others."""

from django.db import migrations

OTHERS = """
UPDATE conversations_turn AS turn SET has_others = true FROM conversations_message AS message
WHERE message.turn_id = turn.id AND NOT turn.has_others
  AND EXISTS (SELECT FROM conversations_turn AS other WHERE other.message_id = message.id AND other.id <> turn.id)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0013_answers_of_several_turns"),
    ]

    operations = [
        migrations.RunSQL(OTHERS, migrations.RunSQL.noop, elidable=True),
    ]
