"""Indexes for filters that come without words."""

import django.db.models.deletion
from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # people go on writing while the indexes are made

    dependencies = [
        ("conversations", "0003_title_requests"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="message",
            index=models.Index(fields=["author", "-created_at"], name="conversations_message_author"),
        ),
        AddIndexConcurrently(
            model_name="turn",
            index=models.Index(fields=["organization", "model_name", "-created_at"], name="conversations_turn_model"),
        ),
        AddIndexConcurrently(
            model_name="turn",
            index=models.Index(
                fields=["organization", "cost"], name="conversations_turn_cost", condition=~models.Q(cost=None)
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="author",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]
