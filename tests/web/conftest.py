from tests.conversations.fixtures import api, ines, project

__all__ = ["api", "ines", "project"]
