"""Owns workflow definitions and their versions, runs, steps, gates, choices, and the way back.

A definition is a document of the Serverless Workflow DSL 1.0.3; our own words stand in its ``metadata``. What a step does is a function of a
door (``core.doors.workflow_functions``); records, operations and conversations belong to the apps below.
"""
