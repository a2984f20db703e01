"""A sender that is killed while a letter is on the wire: nothing is sent twice, and what was never begun is not lost."""

import asyncio
from collections import Counter

from deploy.local.servers.clockserver import ClockServer
from services.notify.usecases.messages import CLAIM
from tests.component.notify.neighbours import Person, known
from tests.component.notify.sink import Sink
from tests.support.running import OPENING, Running
from tests.support.servers import Servers

LETTERS = CLAIM + 5


async def test_a_killed_sender_leaves_unknown_letters_and_the_next_sends_the_rest(servers: Servers) -> None:
    everything_but_jobs = "api,consumer,relay,timers"
    async with (
        Sink() as sink,
        ClockServer(OPENING) as clock,
        Running("notify", servers, smtp_url=sink.url, mail_from="jembatan@kota.test", roles=everything_but_jobs) as notify,
    ):
        await notify.activate_pack("13.74")
        people = [Person() for _ in range(LETTERS)]
        sink.mood("slow")
        await known(notify, *people)
        await notify.say(*(person.offered() for person in people))
        # Nobody works jobs here yet: the letters wait.
        async with asyncio.timeout(60):
            while (await _states(notify)).total() < LETTERS:
                await asyncio.sleep(0.1)
        sender = await notify.spawn(roles="jobs", job_workers=1, clock_url=clock.url, environment="demo")
        async with asyncio.timeout(90):
            await sink.taken.wait()
        await sender.kill()
        sink.mood("accept")
        states = await _states(notify)
        # One claim of the one worker is in hand, none of it is known to have arrived.
        assert states == {"sending": CLAIM, "queued": LETTERS - CLAIM}
        # The lease of the killed process would end by itself after half a minute.
        await notify.owner.execute("UPDATE job SET lease_until = now() - interval '1 second' WHERE state = 'running'")
        await notify.spawn(roles="jobs", job_workers=1, clock_url=clock.url, environment="demo")
        await notify.settle(80)
        after = await _states(notify)
        assert after == {"unknown": CLAIM, "sent": LETTERS - CLAIM}
        letters = [len(sink.to(person.email)) for person in people]
        assert max(letters) == 1
        assert sum(letters) >= after["sent"]


async def _states(notify: Running) -> Counter[str]:
    return Counter(row["state"] for row in await notify.rows("SELECT state FROM message"))
