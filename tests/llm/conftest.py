from tests.accounts.fixtures import owner, project
from tests.provider.fixtures import provider, running_provider

__all__ = ["owner", "project", "provider", "running_provider"]
