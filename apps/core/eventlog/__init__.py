"""The event log after the commit: one sequencer gives positions, consumers read by them.

Rows are written by ``core.events.emit``; everything here runs in the process that coordinates (``core.coordinator``).
"""
