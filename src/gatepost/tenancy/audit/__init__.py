"""The audit log: an append-only, hash-chained record of each security-relevant act, one chain an account.

An act and its entry are one transaction: there is neither without the other (``Recorder``). Each entry's *link* is
keyed with a key from the keyring and covers the link before it, so that whoever can write to the database, but has
not the keyring, cannot alter, insert, move or drop an entry unseen; a *head* says where each chain ends, under a code
of its own kind, so that no entry left in the table can be made to look like the last one (``chain``).

What a chain cannot show by itself: that somebody put back an old copy of the database, log and head together, or that
somebody who holds the keyring too wrote it anew. For that the operator keeps heads elsewhere (``gatepost audit head``)
and has them compared.
"""
