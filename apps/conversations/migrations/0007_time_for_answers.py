"""What answers took, as a total of the conversation. Counted from the turns that are there, a thousand conversations at a time."""

from django.db import migrations, models

COUNT = """
UPDATE conversations_conversation AS conversation SET answer_seconds = taken.seconds
FROM (
  SELECT conversation_id, sum(extract(epoch FROM finished_at - started_at)) AS seconds FROM conversations_turn
  WHERE conversation_id = ANY(%s) AND finished_at > started_at GROUP BY 1
) AS taken
WHERE conversation.id = taken.conversation_id AND conversation.answer_seconds = 0
"""


def count_seconds(apps, schema_editor):
    ids = apps.get_model("conversations", "Conversation").objects.order_by("pk").values_list("pk", flat=True)
    after = None
    while batch := list((ids.filter(pk__gt=after) if after else ids)[:1000]):
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(COUNT, [batch])
        after = batch[-1]


class Migration(migrations.Migration):
    atomic = False  # each thousand by itself: nobody who writes waits for all

    dependencies = [("conversations", "0006_turns_have_a_priority")]

    operations = [
        migrations.AddField(
            model_name="conversation",
            name="answer_seconds",
            field=models.FloatField(db_default=0, default=0, editable=False),
        ),
        migrations.RunPython(count_seconds, migrations.RunPython.noop, elidable=True),
    ]
