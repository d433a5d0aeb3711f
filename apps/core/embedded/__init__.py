"""PostgreSQL and Redis for a machine that has neither: found, started, watched and stopped from their binaries.

It owns their folders, their passwords and their recovery after a crash; it knows nothing of Django, so that the
services run before settings are read. Production servers are not its business: there the URLs are given.
"""
