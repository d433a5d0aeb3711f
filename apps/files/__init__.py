"""Owns what people upload: content by its hash, detected types, text and previews made of it, quota, safe serving.

A file is its owner's until another app attaches it; that app then says, through ``core.doors.file_access``, who else may see it.
It does not know what a file is attached to.
"""
