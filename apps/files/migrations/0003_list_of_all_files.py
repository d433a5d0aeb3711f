"""The files of an organization, the newest first."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("files", "0002_list_of_files")]

    operations = [
        AddIndexConcurrently(
            model_name="file",
            index=models.Index(
                condition=models.Q(("deleted_at", None)),
                fields=["organization", "-created_at", "-id"],
                name="files_file_list_all",
            ),
        )
    ]
