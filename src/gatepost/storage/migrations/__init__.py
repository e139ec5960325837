"""Migrations of the control plane: numbered, forward only, each written down once and never changed afterwards.

They do not import ``schema``, which goes on changing; a test compares the outcome of all of them with it. The last
release must run on the new schema: add first, remove one release later.
"""
