"""The files of a project, the newest first."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("files", "0001_initial")]

    operations = [
        AddIndexConcurrently(
            model_name="file",
            index=models.Index(
                condition=models.Q(("deleted_at", None)),
                fields=["project", "-created_at", "-id"],
                name="files_file_list",
            ),
        )
    ]
