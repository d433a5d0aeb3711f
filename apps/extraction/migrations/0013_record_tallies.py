"""How many records a collection has: rows that triggers write, and the sum of what is there when they begin."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import apps.core.ids

# One row a statement and collection: rows of records come by the thousand, too. What is written by an UPDATE of many is rare (a
# deletion, a return), so it is told row by row, and most updates of records stop at the WHEN.
TRIGGERS = """
CREATE FUNCTION extraction_tally_came() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO extraction_recordtally (id, organization_id, collection_id, number, updated_at)
  SELECT gen_random_uuid(), organization_id, collection_id, count(*), clock_timestamp() FROM came
  WHERE deleted_at IS NULL GROUP BY organization_id, collection_id;
  RETURN NULL;
END $$;
CREATE FUNCTION extraction_tally_went() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO extraction_recordtally (id, organization_id, collection_id, number, updated_at)
  SELECT gen_random_uuid(), organization_id, collection_id, -count(*), clock_timestamp() FROM went
  WHERE deleted_at IS NULL GROUP BY organization_id, collection_id;
  RETURN NULL;
END $$;
CREATE FUNCTION extraction_tally_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO extraction_recordtally (id, organization_id, collection_id, number, updated_at)
  VALUES (gen_random_uuid(), NEW.organization_id, NEW.collection_id, CASE WHEN NEW.deleted_at IS NULL THEN 1 ELSE -1 END, clock_timestamp());
  RETURN NULL;
END $$;
CREATE TRIGGER extraction_tally_came AFTER INSERT ON extraction_record REFERENCING NEW TABLE AS came
  FOR EACH STATEMENT EXECUTE FUNCTION extraction_tally_came();
CREATE TRIGGER extraction_tally_went AFTER DELETE ON extraction_record REFERENCING OLD TABLE AS went
  FOR EACH STATEMENT EXECUTE FUNCTION extraction_tally_went();
CREATE TRIGGER extraction_tally_changed AFTER UPDATE OF deleted_at ON extraction_record FOR EACH ROW
  WHEN ((OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL)) EXECUTE FUNCTION extraction_tally_changed();
INSERT INTO extraction_recordtally (id, organization_id, collection_id, number, updated_at)
SELECT gen_random_uuid(), organization_id, collection_id, count(*), clock_timestamp() FROM extraction_record
WHERE deleted_at IS NULL GROUP BY organization_id, collection_id;
"""
BACK = """
DROP TRIGGER extraction_tally_came ON extraction_record;
DROP TRIGGER extraction_tally_went ON extraction_record;
DROP TRIGGER extraction_tally_changed ON extraction_record;
DROP FUNCTION extraction_tally_came();
DROP FUNCTION extraction_tally_went();
DROP FUNCTION extraction_tally_changed();
"""


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0009_sessions_proved_and_idle"),
        ("extraction", "0012_long_texts"),
    ]

    operations = [
        migrations.CreateModel(
            name="RecordTally",
            fields=[
                ("id", models.UUIDField(default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("number", models.IntegerField()),
                ("collection", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="extraction.collection")),
                ("organization", models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization")),
            ],
            options={"abstract": False},
        ),
        migrations.RunSQL(TRIGGERS, BACK),
    ]
