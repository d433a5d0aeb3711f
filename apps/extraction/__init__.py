"""Owns collections (JSON Schemas), the records that fit them, and how words become records with their sources.

Also what surrounds a record: proposals and their review, questions about what is missing, duplicates, links and templates.
It does not own the words themselves (messages, files), nor the work over thousands of items, which is a bulk operation.
"""
