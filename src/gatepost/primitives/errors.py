"""The error tree. Expected refusals are values (``decision``); exceptions are for what is broken."""


class RelayError(Exception):
    """Anything of ours that is broken; only its children are raised."""


class Transient(RelayError):
    """It may work later: a full disk, a slow server. Over SMTP a 4xx."""


class Permanent(RelayError):
    """It will not work however often it is tried."""


class Misconfigured(RelayError):
    """A person must act; the text says where and what to do."""
