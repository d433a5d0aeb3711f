"""Moments that were written with an offset, before all were kept in UTC, stand in no order beside the others: they are said in UTC, too."""

from django.db import migrations

# The upkeep writes records anew that are behind the shape of their collection, piece by piece. Only of collections that have such a moment.
BEHIND = """
UPDATE extraction_collection collection SET shape_number = shape_number + 1
WHERE EXISTS (
  SELECT 1 FROM extraction_collectionschema said
  WHERE said.collection_id = collection.id AND said.number = collection.schema_number AND said.document::text LIKE '%"date-time"%'
) AND EXISTS (
  SELECT 1 FROM extraction_record record WHERE record.collection_id = collection.id AND record.deleted_at IS NULL
  AND record.data::text ~ '[0-9]{2}:[0-9]{2}(:[0-9]{2})?([.][0-9]*)?([+-][0-9]{2}:[0-9]{2}|z)"|[Tt ][0-9]{2}:[0-9]{2}Z"|[.][0-9]*0Z"'
);
"""


class Migration(migrations.Migration):
    dependencies = [("extraction", "0022_hollow_records")]

    operations = [migrations.RunSQL(BEHIND, migrations.RunSQL.noop)]
