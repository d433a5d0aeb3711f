"""Owns conversations, their tree of messages, the turns that answer, commands, export and import.

A turn is the record of work: what streams to a reader is kept by ``live``, what a model says is yielded by ``agents``.
"""
