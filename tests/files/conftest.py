from tests.accounts.fixtures import owner, project
from tests.files.fixtures import own_folder

__all__ = ["own_folder", "owner", "project"]
