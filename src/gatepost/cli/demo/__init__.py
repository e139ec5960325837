"""``gatepost demo``: the main job on this machine alone, from an application's SMTP session to a recipient's inbox.

Place in the flow: above everything else. It plays the parts around a relay (certification authority, DNS, receiving
MX, sending application) and starts the relay itself as an operator would, with a settings file and ``gatepost serve``.

Invariants: only loopback is used, no mail leaves the machine (every recipient is routed to the inbox), no folder is
wiped that the demo did not make, and every process it started ends with it.
"""

from gatepost.cli.demo.command import demo

__all__ = ["demo"]
