"""Records are found without accents as messages are, and in the same way (``conversations.0012_words_without_accents``)."""

import django.contrib.postgres.search
from django.db import migrations, models

TRIGGER = """
CREATE OR REPLACE FUNCTION extraction_record_words() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  NEW.words := core_words(NEW.text);
  RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER extraction_record_words BEFORE INSERT OR UPDATE OF text ON extraction_record
  FOR EACH ROW EXECUTE FUNCTION extraction_record_words();
ALTER TABLE extraction_record ALTER COLUMN words DROP EXPRESSION IF EXISTS;
"""
AGAIN = """
UPDATE extraction_record SET text = text
WHERE id = ANY(%s) AND octet_length(text) <> length(text)
  AND words IS DISTINCT FROM core_words(text)
"""


def index_again(apps, schema_editor):
    ids = apps.get_model("extraction", "Record").objects.order_by("pk").values_list("pk", flat=True)
    after = None
    while batch := list((ids.filter(pk__gt=after) if after else ids)[:1000]):
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(AGAIN, [batch])
        after = batch[-1]


class Migration(migrations.Migration):
    atomic = False  # each thousand by itself: see conversations.0012

    dependencies = [
        ("core", "0008_words"),
        ("extraction", "0020_tally_names"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(TRIGGER)],
            state_operations=[
                migrations.AlterField(
                    model_name="record",
                    name="words",
                    field=models.GeneratedField(
                        db_persist=True,
                        expression=models.Func(models.F("text"), function="core_words"),
                        output_field=django.contrib.postgres.search.SearchVectorField(),
                    ),
                ),
            ],
        ),
        migrations.RunPython(index_again, migrations.RunPython.noop, elidable=True),
    ]
