"""Words without accents, and the index of a text that is made of them (``core.folding``)."""

from django.db import migrations

# What is plain ASCII, as most texts are, is not looked at twice. Not STRICT: PostgreSQL puts it into the query that calls it.
FOLDED = r"""
CREATE FUNCTION core_folded(content text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN octet_length(content) = length(content) THEN content ELSE
    normalize(
      regexp_replace(normalize(replace(translate(content, 'øØłŁđĐ', 'oOlLdD'), 'ß', 'ss'), NFD), '[\u0300-\u036f]+', '', 'g'),
      NFC
    )
  END
$$
"""

# PostgreSQL holds one megabyte of different words and their places. 50,000 letters never come to that; of a longer text as much
# is taken as there is room for. The schema is fixed: a restore calls it from rows with none to look in.
WORDS = """
CREATE FUNCTION core_words(content text) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE STRICT SET search_path FROM CURRENT AS $$
DECLARE
  most integer := 500000;
BEGIN
  IF length(content) <= 50000 THEN
    RETURN to_tsvector('simple'::regconfig, core_folded(content));
  END IF;
  LOOP
    BEGIN
      RETURN to_tsvector('simple'::regconfig, core_folded(left(content, most)));
    EXCEPTION WHEN program_limit_exceeded THEN
      most := most / 2;
    END;
  END LOOP;
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0007_tally_names")]

    operations = [
        migrations.RunSQL(FOLDED, "DROP FUNCTION core_folded(text)"),
        migrations.RunSQL(WORDS, "DROP FUNCTION core_words(text)"),
    ]
