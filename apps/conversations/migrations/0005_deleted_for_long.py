"""Indexes for the sweep that erases what was deleted 30 days ago."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # people go on writing while the indexes are made

    dependencies = [("conversations", "0004_search_filters")]

    operations = [
        AddIndexConcurrently(
            model_name="conversation",
            index=models.Index(
                fields=["deleted_at"], name="conversations_deleted", condition=~models.Q(deleted_at=None)
            ),
        ),
        AddIndexConcurrently(
            model_name="message",
            index=models.Index(
                fields=["deleted_at"], name="conversations_message_deleted", condition=~models.Q(deleted_at=None)
            ),
        ),
    ]
