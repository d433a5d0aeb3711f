from django.db import models

from apps.accounts.models import TenantModel


class Note(TenantModel):
    text = models.CharField(max_length=100)
    event_id = models.UUIDField(null=True, unique=True)

    def __str__(self):
        return self.text
