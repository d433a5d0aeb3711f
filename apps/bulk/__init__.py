"""Owns operations over many items: the frozen plan, its rows, who works on which, the counts, and how an operation ends.

What an item is and does is its kind's business (``core.doors.bulk_kinds``); this app runs kinds of every floor and knows none of them.
"""
