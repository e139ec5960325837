"""The sending MTA: route, TLS requirement, shaping, attempt, outcome.

Deciding is split from doing: route, retry, shaping and outcome are pure and tested as tables; the worker is a loop.
"""
