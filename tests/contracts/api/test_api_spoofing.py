"""Names that are not the sender's, offered over HTTP: the one door answers, whatever way in."""

import pytest

OWN, THEIRS = "acme.example", "rival.example"
#: The author, and whether it is taken: acme has a domain and one proved address, rival a domain and a lent name.
AUTHORS = {
    "own domain": (f"a@{OWN}", 202),
    "own domain in capitals": ("a@ACME.example", 202),
    "below it": (f"a@news.{OWN}", 202),
    "lent name": (f"a@lent.{OWN}", 403),
    "below a lent name": (f"a@x.lent.{OWN}", 403),
    "another tenant's": (f"a@{THEIRS}", 403),
    "below another tenant's": (f"a@x.{THEIRS}", 403),
    "proved address": ("ann@gmail.test", 202),
    "proved address, another case": ("Ann@gmail.test", 403),
    "proved address, a tag": ("ann+x@gmail.test", 403),
    "its neighbour": ("bob@gmail.test", 403),
    "a name that ends so": (f"a@bad{OWN}", 403),
    "a name that begins so": (f"a@{OWN}.evil.test", 403),
    "a Cyrillic letter": ("a@\u0430cme.example", 403),
    "the U-labels of our own": ("a@bücher.example", 202),
    "the A-labels of our own": ("a@xn--bcher-kva.example", 202),
    "an address literal": ("a@[192.0.2.1]", 403),
    "a route": (f"a%{THEIRS}@{OWN}", 400),
    "an address in quotes": (f'"a@{THEIRS}"@{OWN}', 400),
}


@pytest.mark.parametrize(("author", "status"), AUTHORS.values(), ids=AUTHORS)
async def test_an_author_is_taken_or_refused_by_the_rule(api, author, status):
    account, rival = api.account("acme"), api.account("rival")
    api.claims.holders |= {
        OWN: account, "xn--bcher-kva.example": account, THEIRS: rival, f"lent.{OWN}": rival,
    }  # fmt: skip
    key = api.key(account, "mail.send", "whitelabel.create", "whitelabel.update")
    wanted = {"nickname": "Ann", "from_email": "ann@gmail.test", "reply_to": "ann@gmail.test"}
    await api.ask("POST", "/v3/verified_senders", wanted, key=key)
    await api.ask("GET", f"/v3/verified_senders/verify/{api.mailbox.token()}", key=key)
    body = {
        "personalizations": [{"to": [{"email": "bob@dest.test"}]}],
        "from": {"email": author},
        "subject": "Hi",
        "content": [{"type": "text/plain", "value": "Hello"}],
    }

    reply = await api.ask("POST", "/v3/mail/send", body, key=key)

    assert reply.status == status
    assert api.queue.counters.accepted_messages == (status == 202)
