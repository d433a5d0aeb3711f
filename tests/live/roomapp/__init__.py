"""Rooms as an installed app, for processes of their own (``PARLANCE_EXTRA_APPS=tests.live.roomapp``)."""
