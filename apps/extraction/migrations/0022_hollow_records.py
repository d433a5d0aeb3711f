"""Records that were complete when they were written, and point to what was deleted since, are looked at again."""

from django.db import migrations

# The upkeep writes anew what is behind the shape of its collection. Few are deleted: they are found by their index, the others by theirs.
BEHIND = """
UPDATE extraction_record SET blocks_number = 0
WHERE deleted_at IS NULL AND is_complete AND blocks_number > 0
  AND collection_id IN (SELECT id FROM extraction_collection WHERE needed <> '[]'::jsonb)
  AND id IN (
    SELECT link.source_id FROM extraction_recordlink link
    JOIN extraction_record target ON target.id = link.target_id WHERE target.deleted_at IS NOT NULL
  );
"""


class Migration(migrations.Migration):
    dependencies = [("extraction", "0021_words_without_accents")]

    operations = [migrations.RunSQL(BEHIND, migrations.RunSQL.noop)]
