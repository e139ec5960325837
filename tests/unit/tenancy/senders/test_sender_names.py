import pytest

from gatepost.tenancy.senders.sender_names import SenderNames

#: The name, what it leaves out, author, reverse-path, and whether the message is meant; both by one and by all.
CASES = {
    "the domain": ("example.com", (), "a@example.com", None, True, True),
    "below it": ("example.com", (), "a@x.news.example.com", None, True, True),
    "above it": ("news.example.com", (), "a@example.com", None, False, False),
    "a longer name that ends so": ("example.com", (), "a@badexample.com", None, False, False),
    "a name that begins so": ("example.com", (), "a@example.com.evil.test", None, False, False),
    "the name as a local part": ("example.com", (), '"a@example.com"@other.test', None, False, False),
    "an excluded domain": ("example.com", ("news.example.com",), "a@news.example.com", None, False, False),
    "below an excluded domain": ("example.com", ("news.example.com",), "a@x.news.example.com", None, False, False),
    "beside an excluded domain": ("example.com", ("news.example.com",), "a@shop.example.com", None, True, True),
    "an excluded address": ("example.com", ("a@example.com",), "a@example.com", None, False, False),
    "beside an excluded address": ("example.com", ("a@example.com",), "b@example.com", None, True, True),
    "the address": ("ann@gmail.test", (), "ann@gmail.test", None, True, True),
    "the address in capitals": ("ann@gmail.test", (), "Ann@gmail.test", None, False, False),
    "another one of its domain": ("ann@gmail.test", (), "bob@gmail.test", None, False, False),
    "an author elsewhere, its reverse-path here": ("example.com", (), "a@other.test", "b@example.com", True, False),
    "an author here, its reverse-path elsewhere": ("example.com", (), "a@example.com", "b@other.test", True, False),
    "both here": ("example.com", (), "a@example.com", "b@bounces.example.com", True, True),
    "both elsewhere": ("example.com", (), "a@other.test", "b@other.test", False, False),
    "one here, one excluded": (
        "example.com", ("news.example.com",), "a@example.com", "b@news.example.com", True, False,
    ),
    "an address literal": ("example.com", (), "a@[192.0.2.1]", None, False, False),
    "nothing known": ("example.com", (), None, None, False, False),
}  # fmt: skip


@pytest.mark.parametrize(("name", "excluded", "author", "reverse_path", "any_", "all_"), CASES.values(), ids=CASES)
def test_mail_is_meant_by_its_author_or_its_reverse_path(name, excluded, author, reverse_path, any_, all_):
    one = SenderNames(name=name, excluded=frozenset(excluded))
    both = SenderNames(name=name, excluded=frozenset(excluded), all_of_them=True)

    assert (one.mean(author, reverse_path), both.mean(author, reverse_path)) == (any_, all_)
