"""Live owns sockets, topics, presence and the resumable streams of turns.

It carries what others commit or generate to everybody who may see it, and lets a reader come back where it left.
It owns no table and decides no right: topic kinds (``core.doors.topics``) say who may follow what and how it is told.
"""
