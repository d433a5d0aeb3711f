"""Owns the doors for other programs: ``/v1`` in OpenAI's shape, for every model and agent that a key may use.

It keeps no rows: calls are those of ``llm`` and ``agents``, with their budgets, ledger and fallback. It translates, and it refuses
clearly what it cannot translate.
"""
