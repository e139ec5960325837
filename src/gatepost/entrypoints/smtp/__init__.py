"""The way in over SMTP: sockets and TLS around a ServerSession, and the handler that decides what it asks.

::

    octets ─ listener ─ connection ─ [PROXY preamble] ─ [TLS layer] ─▶ ServerSession ─ event ─▶ SessionHandler
                            ▲                                               ▲                        │
                            └──────────── output, one write a batch ────────┴─────── Answer ─────────┘

``connection`` pumps and keeps time; it knows no tenant. ``submission_handler`` decides; it knows no socket. The same
pump serves any other handler (the demo's inbox receives with one).

Threats considered: commands slipped in before a TLS handshake (the TLS layer starts on the very octet after
STARTTLS, and nothing it did not decrypt is ever a command); a forged client address (PROXY preambles are read from
listed proxies only, and must be there); slow and idle peers (``time_limits``); floods of sessions
(``session_caps``); contents that fill the memory (``content_buffer``); client text in replies (``reply_texts``).
"""
