"""A receiving MX for the demo: takes all mail, checks DKIM and SPF as a receiver would, shows it on small web pages.

Threats considered: whoever can reach the loopback address may send it anything, so its pages show hostile mail as text
alone, load nothing, run nothing, and answer only to names of this machine (DNS rebinding).
"""
