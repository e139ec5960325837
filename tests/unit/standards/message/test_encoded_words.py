"""Encoded words: everything that could be shown, or a refusal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.standards.message.encoded_words import EncodedWordError, decode_all


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        pytest.param("plain", "plain", id="nothing to decode"),
        pytest.param("=?utf-8?q?M=C3=BCller?=", "Müller", id="Q"),
        pytest.param("=?UTF-8?Q?a_b=5F?=", "a b_", id="Q: underscore is a space"),
        pytest.param("=?utf-8?b?TcO8bGxlcg==?=", "Müller", id="B"),
        pytest.param("=?utf8?q?=C3=BC?=", "ü", id="common misnomer"),
        pytest.param("=?iso-8859-1?q?M=FCller?=", "Müller", id="Latin-1"),
        pytest.param("=?windows-1252?q?=80?=", "€", id="Windows-1252"),
        pytest.param("=?iso-2022-jp?b?GyRCOzNFREJATzobKEI=?=", "山田太郎", id="ISO-2022-JP"),
        pytest.param("=?utf-8*en?q?a?=", "a", id="with a language"),
        pytest.param("=?utf-8?q?a?= =?utf-8?q?b?=", "ab", id="white space between words goes"),
        pytest.param("=?utf-8?q?a?= \t =?iso-8859-1?q?b?=", "ab", id="between charsets too"),
        pytest.param("=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b", id="white space around text stays"),
        pytest.param("=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "ü", id="a character cut in two"),
        pytest.param("x=?utf-8?q?y?=z", "xyz", id="inside a word, as careless readers do"),
        pytest.param("=?utf-8?q??=", "", id="empty"),
    ],
)
def test_encoded_words_are_decoded_wherever_they_stand(text, decoded):
    assert decode_all(text) == decoded


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("=?utf-7?q?a+AEA-b?=", id="UTF-7"),
        pytest.param("=?utf-16?b?AEA=?=", id="UTF-16"),
        pytest.param("=?punycode?q?a?=", id="a codec that is no charset"),
        pytest.param("=?x?q?a?=", id="unknown charset"),
        pytest.param("=?utf-8?q?=FF?=", id="octets the charset does not have"),
        pytest.param("=?utf-8?b?!!!!?=", id="not base64"),
        pytest.param("=?utf-8?b?YQ?=", id="base64 without padding"),
        pytest.param("=?utf-8?q?=4?=", id="half an escape"),
        pytest.param("=?utf-8?q?é?=", id="8-bit inside"),
        pytest.param("=?utf-8?x?a?=", id="unknown encoding"),
        pytest.param("=?utf-8?q?a b?=", id="space inside"),
        pytest.param("=?utf-8?q?a", id="unfinished"),
        pytest.param("a =? b", id="stray mark"),
        pytest.param("=?utf-8?q?=3D=3Futf-8=3Fq=3Fa=3F=3D?=", id="encoded twice"),
    ],
)
def test_what_readers_decode_differently_is_refused(text):
    with pytest.raises(EncodedWordError):
        decode_all(text)


@given(st.text(alphabet="=?utf-8bqBQ_ABC04123 \u00fc", max_size=60))
def test_garbage_is_refused_or_holds_no_encoded_word_any_more(text):
    try:
        decoded = decode_all(text)
    except EncodedWordError:
        return

    assert "=?" not in decoded
