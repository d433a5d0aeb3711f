"""Owns the way to language models: providers, models and prices, routing, retries, breaker, budgets and the call ledger.

Callers hand in a neutral request and iterate over operations on message parts; which wire protocol carried them is not
visible to them. What is asked and what happens to the answer belongs to agents and conversations.
"""
