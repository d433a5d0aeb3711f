"""Owns agents: the instructions, model and parameters that answer in a project, and the neutral context of an answer.

It yields operations on parts and stores none of them; who asked and where it is shown is ``conversations``' business.
"""
