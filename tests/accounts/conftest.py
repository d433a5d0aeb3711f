from tests.accounts.fixtures import owner, project
from tests.issuer.fixtures import nothing_kept_of_providers

__all__ = ["nothing_kept_of_providers", "owner", "project"]
