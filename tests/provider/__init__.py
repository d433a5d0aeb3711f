"""A model provider for tests: a real HTTP server that speaks the OpenAI and Anthropic protocols, scripted per request.

``python -m tests.provider --port 9100`` runs it as a process of its own; ``tests.provider.fixtures`` runs it in a thread.
"""
