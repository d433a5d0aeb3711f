"""Owns people, organizations, projects, roles, keys, sessions, limits and the audit log.

Every right is asked of ``policies`` with an ``Actor``; every read of a shared object goes through ``selectors``.
It does not know what is done in a project.
"""
