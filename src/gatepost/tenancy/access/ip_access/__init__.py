"""IP access management: from where an account may be reached, by whatever way in.

One list an account, for its people, its API keys and its mail sessions together. An empty list means everywhere. A
subuser has a list of its own: each credential is judged by the list of the account that it belongs to, so a parent
acting on behalf of a subuser is judged by the parent's list, and the subuser's list says nothing about it.

A list is *enforced*, or *observed*: then nothing is refused, and each attempt that would have been is recorded, so
that a list can be tried on real traffic before it is switched on.

Invariants: the list travels with the ``Principal`` and is looked up under the access version with it, so an edit is
as exact as any other change of rights (``Principals``). An edit after which its own author would be refused is not
made, unless he forces it with a fresh second factor (``edit``); a key can force nothing; the operator's command line is
judged by no list. So somebody is always in, or has shut himself out knowingly.

Threats considered: an IPv4 client that looks like IPv6 (mapped addresses are compared as IPv4); a forged client address
(PROXY preambles and forwarded addresses are believed from listed proxies only, at the edge); two edits at once that
would each be harmless alone (deciding and writing are one transaction); a thief's key that changes the list (it needs
the scope, and cannot shut out others' sessions without being seen in the audit log).
"""
