"""Encoded words (RFC 2047), read the way careless readers do, to learn what could be shown.

A careful reader decodes an encoded word only where the grammar has one. A careless one decodes whatever looks like
one, inside quotes too. Who wants to know all that a text may turn into asks ``decode_all``.
"""

import binascii
import codecs
import re

_WORD = re.compile(r"=\?([^?\s]+)\?([bqBQ])\?([^?\s]*)\?=")
_Q_TEXT = re.compile(r"(?:[!-<>-~]|=[0-9A-Fa-f]{2})*")

#: Registered charset names that mail is really written in, by their Python codec. UTF-7 and UTF-16 are missing on
#: purpose: ASCII specials have other spellings in them, and readers differ in which of those they accept.
CODECS = {
    "us-ascii": "ascii",
    "utf-8": "utf-8",
    "utf8": "utf-8",  # not registered, and common
    "big5": "big5",
    "euc-jp": "euc_jp",
    "euc-kr": "euc_kr",
    "gb18030": "gb18030",
    "gb2312": "gb2312",
    "gbk": "gbk",
    "iso-2022-jp": "iso2022_jp",
    "koi8-r": "koi8_r",
    "koi8-u": "koi8_u",
    "ks_c_5601-1987": "cp949",
    "shift_jis": "shift_jis",
    "tis-620": "tis_620",
    "windows-874": "cp874",
    **{f"iso-8859-{part}": f"iso8859_{part}" for part in (*range(1, 12), *range(13, 17))},
    **{f"windows-{page}": f"cp{page}" for page in range(1250, 1259)},
}


class EncodedWordError(ValueError):
    """Something begins like an encoded word and is none that all readers agree on; the message says what."""


def decode_all(text: str) -> str:
    """Replace every encoded word in a text, wherever it stands, by what it means.

    White space between two encoded words goes (RFC 2047 §6.2), and neighbours of one charset are decoded together,
    because many programs cut characters in two.

    Raises:
        EncodedWordError: A stray ``=?``, a charset we do not read, or octets that the charset does not have.
    """
    if "=?" not in text:
        return text
    pieces: list[str] = []
    run, run_charset, at = b"", "", 0
    for word in _WORD.finditer(text):
        between = text[at : word.start()]
        charset = word[1].lower().partition("*")[0]  # RFC 2231 §5 puts a language behind an asterisk
        follows_word = at > 0 and not between.strip()
        if not follows_word or charset != run_charset:
            pieces.append(_to_text(run, run_charset))
            run, run_charset = b"", charset
        if not follows_word:
            pieces.append(between)
        run += _to_octets(word[2], word[3])
        at = word.end()
    decoded = "".join([*pieces, _to_text(run, run_charset), text[at:]])
    if "=?" in decoded:
        raise EncodedWordError("something begins with =? like an encoded word, and is none")
    return decoded


def _to_octets(encoding: str, text: str) -> bytes:
    if encoding in "bB":
        try:
            return binascii.a2b_base64(text, strict_mode=True)
        except (binascii.Error, ValueError):
            raise EncodedWordError("an encoded word holds something that is not base64") from None
    if not _Q_TEXT.fullmatch(text):
        raise EncodedWordError("an encoded word holds something that is not quoted-printable")
    return binascii.a2b_qp(text, header=True)


def _to_text(octets: bytes, charset: str) -> str:
    if not octets:
        return ""
    codec = CODECS.get(charset)
    if codec is None:
        raise EncodedWordError("an encoded word has a charset that we do not read; use UTF-8")
    try:
        return codecs.decode(octets, codec)
    except UnicodeDecodeError:
        raise EncodedWordError("an encoded word holds octets that its charset does not have") from None
