"""Words are found without their accents, and beyond the first 50,000 letters of a message.

A generated column of other words would be made by writing every row anew while nobody may read. So a trigger takes over from it,
and then what has accents or is that long is indexed anew, a thousand messages at a time, in the index that is there. Stopped in
between, it may be begun again: what is done is only looked at.
"""

import django.contrib.postgres.search
from django.db import migrations, models

TRIGGER = """
CREATE OR REPLACE FUNCTION conversations_message_words() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  NEW.words := core_words(NEW.content);
  RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER conversations_message_words BEFORE INSERT OR UPDATE OF content ON conversations_message
  FOR EACH ROW EXECUTE FUNCTION conversations_message_words();
ALTER TABLE conversations_message ALTER COLUMN words DROP EXPRESSION IF EXISTS;
"""
AGAIN = """
UPDATE conversations_message SET content = content
WHERE id = ANY(%s) AND (octet_length(content) <> length(content) OR length(content) > 50000)
  AND words IS DISTINCT FROM core_words(content)
"""


def index_again(apps, schema_editor):
    ids = apps.get_model("conversations", "Message").objects.order_by("pk").values_list("pk", flat=True)
    after = None
    while batch := list((ids.filter(pk__gt=after) if after else ids)[:1000]):
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(AGAIN, [batch])
        after = batch[-1]


class Migration(migrations.Migration):
    atomic = False  # each thousand by itself: nobody who writes waits for all

    dependencies = [
        ("conversations", "0011_sensitive"),
        ("core", "0008_words"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(TRIGGER)],
            state_operations=[
                migrations.AlterField(
                    model_name="message",
                    name="words",
                    field=models.GeneratedField(
                        db_persist=True,
                        expression=models.Func(models.F("content"), function="core_words"),
                        output_field=django.contrib.postgres.search.SearchVectorField(),
                    ),
                ),
            ],
        ),
        migrations.RunPython(index_again, migrations.RunPython.noop, elidable=True),
    ]
