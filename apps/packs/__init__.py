"""Owns packs: folders of data that bring collections, templates, agents and workflows into a project, and what they brought where.
It knows how to read, check, install, upgrade, remove and export them. What is brought belongs to the apps that it is brought to.
"""
