from tests.accounts.fixtures import owner, project

__all__ = ["owner", "project"]
