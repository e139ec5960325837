import pytest
from starlette.requests import Request

from gatepost.cli.demo.inbox.mailbox import Mailbox
from gatepost.cli.demo.inbox.web import compose_inbox_app


@pytest.fixture
def get(tmp_path, store_message):
    message = store_message()
    mailbox = Mailbox(tmp_path)
    mailbox.show(mailbox.write(mailbox.take_number(), message.head, message.delivery, message.verdict))
    app = compose_inbox_app(mailbox)

    async def ask(path, host="127.0.0.1:8025"):
        sent = []

        async def receive():
            return {"type": "http.request"}

        async def send(event):
            sent.append(event)

        scope = {
            "type": "http", "method": "GET", "path": path, "query_string": b"", "headers": [(b"host", host.encode())],
            "server": ("127.0.0.1", 8025), "scheme": "http", "root_path": "",
        }  # fmt: skip
        assert Request(scope).url.path == path
        await app(scope, receive, send)
        return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]

    return ask


@pytest.mark.parametrize(
    ("path", "status", "found"),
    [
        ("/", 200, b"ann@example.test"),
        ("/message/1", 200, b"Hello"),
        ("/message/1/source", 200, b"Subject: Hi\r\n"),
        ("/message/2", 404, b"no such message"),
        ("/message/2/source", 404, b"no such message"),
    ],
)
async def test_pages_answer_and_permit_the_browser_nothing(get, path, status, found):
    answered, headers, body = await get(path)

    assert (answered, found in body) == (status, True)
    assert headers[b"content-security-policy"].startswith(b"default-src 'none'")
    assert headers[b"x-content-type-options"] == b"nosniff"


async def test_source_is_plain_text(get):
    _, headers, _ = await get("/message/1/source")

    assert headers[b"content-type"] == b"text/plain; charset=utf-8"


async def test_other_names_for_this_machine_get_nothing(get):
    status, _, body = await get("/", host="rebinding.example")

    assert (status, b"ann@example.test" in body) == (400, False)
