"""Proves that an app comes and goes by one line of INSTALLED_APPS: it registers one of every door.

It owns notes, which nobody needs.
"""
