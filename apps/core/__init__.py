"""Owns the mechanisms that every app stands on: ids, errors, the event log, jobs, doors, settings, outgoing HTTP.

It knows no person, no conversation and no model: organizations, projects and actors are plain ids here.
What one app offers to others is a typed registry in ``core.doors``.
"""
