"""The official Python library, as its own examples use it; run as a program, so that it meets no patched module.

Arguments: URL, key. Prints what happened as JSON.
"""

import base64
import json
import sys

from python_http_client.exceptions import HTTPError
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import (
    Attachment,
    Bcc,
    Category,
    Cc,
    Content,
    ContentId,
    CustomArg,
    Disposition,
    Email,
    FileContent,
    FileName,
    FileType,
    Header,
    Mail,
    MailSettings,
    Personalization,
    ReplyTo,
    SandBoxMode,
    Substitution,
    To,
)

url, key = sys.argv[1:]
client = SendGridAPIClient(key, host=url)
told = {}

simple = Mail(
    from_email=("ann@example.test", "Ann Exämple"),
    to_emails="bob@dest.test",
    subject="python simple",
    plain_text_content="Hello, Bob.\n.a dot",
    html_content="<p>Grüße</p>",
)
answer = client.send(simple)
told["simple"] = [answer.status_code, answer.headers["X-Message-Id"]]

rich = Mail()
rich.from_email = Email("ann@example.test", "Ann")
rich.reply_to = ReplyTo("replies@example.test", "Replies")
rich.subject = "python rich for -name-"
for name in ("Bob", "Carl"):
    personalization = Personalization()
    personalization.add_to(To(f"{name.lower()}@dest.test", name))
    personalization.add_cc(Cc(f"cc-{name.lower()}@dest.test"))
    personalization.add_bcc(Bcc(f"bcc-{name.lower()}@dest.test"))
    personalization.add_header(Header("X-Test", f"for {name}"))
    personalization.add_substitution(Substitution("-name-", name))
    personalization.add_custom_arg(CustomArg("name", name))
    rich.add_personalization(personalization)
rich.add_content(Content("text/plain", "Dear -name-"))
rich.add_content(Content("text/html", '<p>Dear -name-<img src="cid:logo">'))
rich.add_category(Category("tests"))
rich.add_attachment(
    Attachment(
        FileContent(base64.b64encode(bytes(range(256)) * 500).decode()),
        FileName("Größe.bin"),
        FileType("application/octet-stream"),
        Disposition("attachment"),
    )
)
rich.add_attachment(
    Attachment(
        FileContent("aGk="), FileName("logo.png"), FileType("image/png"), Disposition("inline"), ContentId("logo")
    )
)
told["rich"] = client.send(rich).status_code

rich.mail_settings = MailSettings(sandbox_mode=SandBoxMode(True))
told["sandbox"] = client.send(rich).status_code

try:
    client.send(Mail("ceo@bank.example", "bob@dest.test", "spoof", "x"))
except HTTPError as error:
    told["spoof"] = [error.status_code, error.to_dict["errors"][0]["field"]]

keys = client.client.api_keys
made = json.loads(keys.post(request_body={"name": "by python", "scopes": ["mail.send"]}).body)
one = keys._(made["api_key_id"])
told["keys"] = {
    "listed": made["api_key_id"] in {each["api_key_id"] for each in json.loads(keys.get().body)["result"]},
    "shown": json.loads(one.get().body)["scopes"],
    "renamed": json.loads(one.patch(request_body={"name": "renamed"}).body)["name"],
    "changed": json.loads(one.put(request_body={"name": "n", "scopes": ["api_keys.read"]}).body)["scopes"],
    "scopes": json.loads(SendGridAPIClient(made["api_key"], host=url).client.scopes.get().body)["scopes"],
    "deleted": one.delete().status_code,
}
for name, act in (
    ("shown after", one.get),
    ("used after", SendGridAPIClient(made["api_key"], host=url).client.scopes.get),
):
    try:
        act()
    except HTTPError as error:
        told["keys"][name] = error.status_code

print(json.dumps(told))
