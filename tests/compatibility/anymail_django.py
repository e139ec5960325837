"""django-anymail with its back end for the dialect, set up as its own documentation says; run as a program.

Arguments: URL, key. Prints what happened as JSON.
"""

import json
import sys

import django
from anymail.exceptions import AnymailAPIError
from anymail.message import AnymailMessage, attach_inline_image
from django.conf import settings
from django.core.mail import send_mail

url, key = sys.argv[1:]
settings.configure(
    EMAIL_BACKEND="anymail.backends.sendgrid.EmailBackend",
    ANYMAIL={"SENDGRID_API_KEY": key, "SENDGRID_API_URL": f"{url}/v3/"},
)
django.setup()
told: dict[str, object] = {}

told["simple"] = send_mail(
    "anymail simple", "Hello, Bob.", "Ann Exämple <ann@example.test>", ["bob@dest.test"], html_message="<p>Grüße</p>"
)

rich = AnymailMessage(
    subject="anymail rich for {{name}}",
    body="Dear {{name}}",
    from_email="ann@example.test",
    to=["Bob <bob@dest.test>", "carl@dest.test"],
    reply_to=["replies@example.test"],
    headers={"X-Test": "from anymail"},
)
image = attach_inline_image(rich, b"hi", filename="logo.png", subtype="png", domain="example.test")
rich.attach_alternative(f'<p>Dear {{{{name}}}}<img src="cid:{image}">', "text/html")
rich.attach("Größe.bin", bytes(range(256)), "application/octet-stream")
rich.tags = ["tests", "anymail"]
rich.metadata = {"order": "7"}
rich.track_opens = True
rich.track_clicks = False
rich.merge_data = {"bob@dest.test": {"name": "Bob"}, "carl@dest.test": {"name": "Carl"}}
rich.esp_extra = {"merge_field_format": "{{{{{}}}}}"}
rich.send()
status = rich.anymail_status
told["rich"] = [sorted(status.status), sorted(status.recipients)]

try:
    send_mail("spoof", "x", "ceo@bank.example", ["bob@dest.test"])
except AnymailAPIError as error:
    told["spoof"] = error.status_code

print(json.dumps(told))
