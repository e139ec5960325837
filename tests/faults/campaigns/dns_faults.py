"""D6: a resolver that fails, through the whole relay: what may pass does not bounce, what is final bounces at once."""

import asyncio

from tests.faults.checker import Rules, judge
from tests.faults.history import Answer
from tests.faults.loader import Plan
from tests.faults.name_server import NameServer
from tests.faults.result import Result
from tests.faults.rig import Options, Setup, running

TEMPORARY = ("servfail", "refused", "silence", "garbage", "CNAME loop", "short MX")
FINAL = ("nxdomain", "null MX", "nowhere")


async def run(options: Options) -> Result:
    """Send to a domain of each kind; in the end let the DNS say of the temporary ones that they are gone."""
    each = 50 if options.is_full else 3
    domains = {f"{word.replace(' ', '').lower()}.test": word for word in (*TEMPORARY, *FINAL)}
    server = NameServer(domains)
    await server.start()
    setup = Setup(nameserver=f"127.0.0.1:{server.port}", delivery='dns_timeout = "1s"')
    try:
        async with running(options, setup) as rig:
            load = rig.load(Plan(seed=options.seed, connections=6, domains=("dest.test", *domains), max_recipients=3))
            await load.run(messages=each * len(domains))
            await asyncio.sleep(20 if options.is_full else 6)
            before = rig.history()
            server.behaviour = dict.fromkeys(domains, "nxdomain")
            # What was asked is remembered for as long as the failure's own time to live.
            is_empty = await rig.drain(60)
            history = await rig.finish()
    finally:
        server.stop()
    result = Result.of(judge(history, Rules(may_stay=True)), asked=sum(server.asked.values()), emptied=is_empty)
    result.violations += judge(before, Rules(may_stay=True)).violations
    wanted = {domain: "queued" if word in TEMPORARY else "bounced" for domain, word in domains.items()}
    for submission in load.submissions:
        for recipient in submission.recipients if submission.answer is Answer.ACCEPTED else ():
            domain = recipient.partition("@")[2]
            ending = before.endings.get(recipient, "nowhere")
            expected = wanted.get(domain, "delivered")
            result.expect(ending == expected, f"ending: {domain}: {ending} instead of {expected}")
    result.expect(is_empty, "stuck: not empty though the DNS says that the domains do not exist")
    return result
