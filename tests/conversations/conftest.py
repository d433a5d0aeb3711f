from tests.conversations.fixtures import api, ines, project
from tests.provider.fixtures import provider, running_provider

__all__ = ["api", "ines", "project", "provider", "running_provider"]
