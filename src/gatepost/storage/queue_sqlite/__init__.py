"""The queue on SQLite: one shard for each mail worker, written by that process alone.

How a call becomes durable: the event loop turns it into a *job* and goes on; the writer thread takes all jobs that
have gathered, executes them in one transaction (``synchronous=FULL``: the commit is flushed), and resolves their
futures with one call back into the loop. Nothing waits to gather; the flush itself gathers the next group.

Who owns what:

- ``store`` runs in the event loop: it implements the port and owns ``lanes``, which is all that is held in memory: one
  entry for each account and destination domain with work, never one for each row, and a bounded *stock* of leases that
  are written down and not yet handed out.
- ``writer`` owns the write connection; ``acceptance``, ``settlement``, ``leasing`` and ``intervention`` are its SQL.
  Jobs are executed in the order of their calls, and their effects on ``lanes`` are applied in that order.
- ``checkpoint`` copies the write-ahead log back in a thread and on a connection of its own.
- ``in_hand`` is a small file that names what is with delivery; after a crash ``recovery`` reads what to suspect in it.
  ``trials`` has those that were in hand at two crashes tried alone, before anything else is handed out.
- ``reader`` is for other processes: read-only, at any time.

Invariants: a recipient's row exists while it is live and goes with the transaction that makes it final; a message's
row goes with its last recipient; every change of state leaves its event and its entry in the books in the same
transaction. ``state``, a lease's fencing: a settlement acts only on rows that are LEASED and in this process only on
leases it handed out and has not settled.

Indexes: the hot path (inserted LEASED, settled, deleted) touches the index by lane not at all, because that holds
queued rows only. The file does not shrink by itself: ``auto_vacuum`` would write a pointer page for each overflow page
moved, on the hot path; freed pages are used again, and ``VACUUM`` on a stopped worker gives them back.

Threats considered: a full disk (the group is refused, and later ones are taken when there is room), a failed flush
(the store is suspect until restarted), a record that cannot be read back (set aside with an event, and the books
still balance), a job that fails (alone: its neighbours are executed again without it), a message that ends the process
each time it is tried (held after three times, but only if nothing else was in hand at the last), a second writer
(``flock``).
"""
