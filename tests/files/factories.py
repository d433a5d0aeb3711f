import io

from apps.files import services
from tests.accounts.factories import actor_of


def upload(user, project, content=b"Some words.\n", name="notes.txt", **options):
    """A file stored the way people store it."""
    return services.store_upload(
        actor=actor_of(user), project_id=project.pk, name=name, stream=io.BytesIO(content), **options
    )
