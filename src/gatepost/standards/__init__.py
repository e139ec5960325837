"""Behaviour that public standards fix: values, grammars, state machines.

Pure: no I/O, no clock, no randomness, no logs; knows no tenant. Any exception out of here other than those a
docstring names is a bug.
"""
