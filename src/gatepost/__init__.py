"""Gatepost: a self-hosted, multi-tenant secure SMTP relay.

Three questions place any line of code. Is it fixed by a public standard? ``standards``. Is it a rule of ours?
``tenancy`` (who may) or ``mailflow`` (what happens to a message). Does it touch the world? ``storage``,
``network``, ``system``, ``entrypoints``, ``runtime``.
"""
