"""The HTTP API, compatible with the v3 API of SendGrid: translate a request, call one use case, translate back.

request → connection (TLS, time and size limits) → endpoint: authenticate by the operation's scope → rate limit → body
→ a struct, or every error in it at once → the operation (``v3``) → answer. Every mail worker serves it on sockets of
its own, because ``mail/send`` ends in that worker's queue shard, behind the same one door as SMTP.

Invariants: nothing is read of a body before its sender is known; a refusal is a value (``Problem``), and its wording
is in ``problem`` alone; no answer holds a traceback, a secret, or anything of another account; forwarded addresses are
believed from listed proxies only; an act that changes rights is judged by rights looked up under ``ActsInProgress``,
and answered once every mail worker goes by the change.
"""
