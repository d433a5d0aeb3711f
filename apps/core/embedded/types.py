from dataclasses import dataclass


class EmbeddedError(Exception):
    """Something only the operator can put right. The text is one sentence made to be shown as it is."""


@dataclass(frozen=True)
class ServiceUrls:
    """Addresses in the forms of DATABASE_URL, DATABASE_OWNER_URL and REDIS_URL; None where a service is not ours."""

    database: str | None = None
    database_owner: str | None = None
    #: The cluster's superuser, for creating databases and extensions; never handed to the application.
    database_admin: str | None = None
    redis: str | None = None

    def environment(self) -> dict[str, str]:
        values = {
            "DATABASE_URL": self.database,
            "DATABASE_OWNER_URL": self.database_owner,
            "REDIS_URL": self.redis,
        }
        return {name: value for name, value in values.items() if value}


@dataclass(frozen=True)
class ServiceStatus:
    name: str
    pid: int | None
    answers: bool
