"""Every write of packs."""

from apps.packs.services.installing import install_pack
from apps.packs.services.removing import remove_pack
from apps.packs.services.upgrading import require_manager, upgrade_pack

__all__ = ["install_pack", "remove_pack", "require_manager", "upgrade_pack"]
