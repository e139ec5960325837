"""Names of the DNS as text: host names read strictly, A-labels, comparison, the walk to the root.

Source: RFC 1035 §2.3.1 and RFC 1123 §2.1 (letters, digits, hyphen), RFC 3696 §2 (no all-numeric top level),
RFC 5890 to 5893 (IDNA 2008). A name is kept as lower-case A-labels without a trailing dot, so that two names are
the same exactly when their texts are.
"""

import re

import idna

MAX_NAME_OCTETS = 253
MAX_LABEL_OCTETS = 63

_LABEL = re.compile(r"[a-z0-9]++(?:-++[a-z0-9]++)*")
#: Letters of ASCII only: ``str.lower`` would make U+212A KELVIN SIGN a plain "k", and so another name.
_FOLD_ASCII = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


class HostNameError(ValueError):
    """The text is no host name; the message says which rule it breaks, in words a client may read."""


def parse_host_name(text: str) -> str:
    """Read a host name, U-labels allowed, and return it as lower-case A-labels.

    Nothing is mapped but the case of ASCII letters: a U-label has to stand as IDNA 2008 has it (lower case, NFC, no
    full-width dots), and an A-label has to be what its own U-label encodes to. So no two readers can see two names.

    Raises:
        HostNameError: The text breaks a rule.
    """
    name = text.translate(_FOLD_ASCII)
    if name.endswith("."):
        raise HostNameError("a domain does not end in a dot")
    labels = [_parse_label(label) for label in name.split(".")]
    if labels[-1].isdigit():
        raise HostNameError("the last part of a domain is not a number")
    name = ".".join(labels)
    if len(name) > MAX_NAME_OCTETS:
        raise HostNameError(f"the domain is longer than {MAX_NAME_OCTETS} octets")
    return name


def normalize(name: str) -> str:
    """Return a name that the DNS or an operator wrote, any labels, in the form in which we keep names."""
    return name.translate(_FOLD_ASCII).removesuffix(".")


def is_same(one: str, other: str) -> bool:
    """Compare two names as the DNS does (RFC 4343): the case of ASCII letters and a trailing dot do not count."""
    return normalize(one) == normalize(other)


def ancestors(name: str) -> tuple[str, ...]:
    """Return the names above a normalised name, nearest first, without the root.

    ``a.b.example.com`` has ``b.example.com``, ``example.com`` and ``com``.
    """
    above = []
    _, _, rest = name.partition(".")
    while rest:
        above.append(rest)
        _, _, rest = rest.partition(".")
    return tuple(above)


def _parse_label(label: str) -> str:
    if not label:
        raise HostNameError("the domain has an empty part: two dots in a row, or one at its start")
    if len(label) > MAX_LABEL_OCTETS:
        raise HostNameError(f"a part of the domain is longer than {MAX_LABEL_OCTETS} octets")
    if label.isascii() and not label.startswith("xn--"):
        if not _LABEL.fullmatch(label):
            raise HostNameError("a part of the domain holds something other than letters, digits and inner hyphens")
        return label
    return _parse_internationalized(label)


def _parse_internationalized(label: str) -> str:
    """Read a U-label or an A-label (RFC 5891 §4.4, §5.3).

    The library also refuses an A-label that is not the one its own U-label encodes to.
    """
    try:
        return idna.alabel(label).decode("ascii")
    except UnicodeError as error:  # idna.IDNAError, and whatever the codec below it raises
        raise HostNameError("a part of the domain is not valid under IDNA 2008") from error
