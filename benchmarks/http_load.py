"""A closed-loop load of ``POST /v3/mail/send`` over kept TLS connections; prints what ``load.c`` prints, as JSON.

It is Python, and so takes more of the machine than the C one: look at the relay's processor time beside the rate.
"""

import argparse
import http.client
import json
import ssl
import threading
import time
from itertools import count

LINE = "It rains on the hills and on the sea, says the forecast for tomorrow morning.\r\n"


class Load:
    """What the threads share."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.numbers = count()
        self.accepted = 0
        self.refused = 0
        self.first_error = ""
        self.text = (LINE * (options.octets // len(LINE) + 1))[: options.octets]
        self.lock = threading.Lock()
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE

    def run(self) -> None:
        """Send until all messages are sent; one thread."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.options.port, context=self.context, timeout=60)
        headers = {"Authorization": f"Bearer {self.options.key}", "Content-Type": "application/json"}
        while (number := next(self.numbers)) < self.options.messages:
            connection.request("POST", "/v3/mail/send", self.make_body(number), headers)
            reply = connection.getresponse()
            words = reply.read()
            with self.lock:
                if reply.status == 202:
                    self.accepted += 1
                else:
                    self.refused += 1
                    self.first_error = self.first_error or f"{reply.status} {words.decode()[:160]}"
        connection.close()

    def make_body(self, number: int) -> bytes:
        """One message to one recipient."""
        content = {
            "personalizations": [{"to": [{"email": "somebody@dest0.test"}]}],
            "from": {"email": "load@example.test", "name": "Load"},
            "subject": "A message of the benchmark",
            "content": [{"type": "text/plain", "value": self.text}],
            "headers": {"X-Seq": str(number), "X-Sent": str(time.monotonic_ns())},
        }
        return json.dumps(content).encode()


def main() -> None:
    """Run, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--octets", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    load = Load(parser.parse_args())
    threads = [threading.Thread(target=load.run) for _ in range(load.options.connections)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - began
    figures = {"began": began, "seconds": seconds, "accepted": load.accepted, "refused": load.refused}
    print(json.dumps(figures | {"first_error": load.first_error}))


if __name__ == "__main__":
    main()
