"""Messages whose words are sealed: a mark, and a column for what is sealed. No row is written anew, and no index holds a row of today."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0010_grants_for_invitations'),
    ]

    operations = [
        migrations.AddField(
            model_name='conversation',
            name='is_sensitive',
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddField(
            model_name='conversation',
            name='seal_due',
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddField(
            model_name='message',
            name='is_sensitive',
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddField(
            model_name='message',
            name='sealed',
            field=models.TextField(blank=True, db_default='', default='', editable=False),
        ),
        # The column keeps its name: the release before this one reads and writes it.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameField(model_name='message', old_name='parts', new_name='stored_parts'),
                migrations.AlterField(
                    model_name='message',
                    name='stored_parts',
                    field=models.JSONField(db_column='parts', default=list),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name='conversation',
            index=models.Index(condition=models.Q(('seal_due', True)), fields=['id'], name='conversations_seal_due'),
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(condition=models.Q(('is_sensitive', True)), fields=['id'], name='conversations_message_sealed'),
        ),
    ]
