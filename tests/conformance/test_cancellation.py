"""Cancel a call at its first suspension, at its second, at its third, until it completes: each time it ends in order."""

import asyncio

import pytest
from deviations import connections_of, warnings_of
from sending import Ask
from stepping import cancelled_at
from variants import VARIANTS, ways

import bide
from bide.testing import VirtualClock, steps

ASYNCIO = [variant for variant in VARIANTS if variant.backend == "asyncio"]
OK = steps.respond(body="done")
MOST = 400  # suspensions; a call that has more does not end
POLICY = 'retry_on(503 & code("later")).fixed(60s) | retry_on(503, network).fixed(60s)'
SCRIPTS = {
    "an error that is drained": ("retry_on(503).fixed(60s)", [steps.respond(503, body="busy"), OK]),
    "an error that is looked into": (POLICY, [steps.json(503, {"code": "later"}), OK]),
    "an error in chunks": (POLICY, [steps.respond(503, body="busy" * 50, framing="chunked"), OK]),
    "an error that is looked into as it comes": (
        POLICY,
        [steps.trickle('{"code":"later"}', pause=0.001, status=503), OK],
    ),
    "an error that is drained as it comes": (
        "retry_on(503).fixed(60s)",
        [steps.trickle("busy", pause=0.001, status=503), OK],
    ),
    "a rule about anything": ("retry_on(anything).fixed(60s)", [steps.respond(503, body="busy"), OK]),
    "an error too long to drain": ("retry_on(503).fixed(60s)", [steps.respond(503, body=b"x" * 200_000), OK]),
    "a lost connection": (POLICY, [steps.drop(), OK]),
    "a deadline": (f"({POLICY}).within(1h)", [steps.drop(), steps.respond(503), OK]),
}


@pytest.mark.parametrize(
    ("variant", "script"),
    [
        pytest.param(variant, script, id=f"{variant.name}-{script}", marks=warnings_of(variant.name))
        for script in SCRIPTS
        for variant in ways(script)
        if variant.backend is not None
    ],
)
def test_a_call_cancelled_anywhere_ends_in_order(server, variant, script):
    policy, answers = SCRIPTS[script]
    completed, at = False, 0
    while not completed:
        at += 1
        assert at < MOST
        server.on("/f", *answers)
        completed = variant.run(lambda at=at: cancelled_once(server, variant, policy, at))
        server.wait_until_idle()
    assert at > 5  # it connected, it was answered, and it waited: there were places to be cancelled at


async def cancelled_once(server, variant, policy, at):
    """Cancel a call at a suspension, look for what it leaves, and say whether it completed before."""
    clock = VirtualClock()
    runtime = bide.parse(policy).bind(clock=clock)
    async with variant.client(runtime, connections=connections_of(variant.name, "cancelled")) as client:
        done = await cancelled_at(at, lambda: client.native(Ask(server.url + "/f")))
        if done.cancelled:
            await left_in_order(variant)
            again = await client.send(Ask(server.url + "/again"))
            assert again.status == 404, f"{again} after suspension {at}"
            return False
        assert client.status_of(done.value) == 200
        assert await client.read(done.value, Ask("")) == b"done"
        assert not done.asked or ends_with_its_last_step(variant, done, at)
        return not done.asked


def ends_with_its_last_step(variant, done, at):
    """Whether a call that completed although it was cancelled had nothing left but to return, as trio allows."""
    return variant.backend == "trio" and done.count - at <= 1


async def left_in_order(variant):
    """See that a call has left no task behind; its transports may need the loop's next turns."""
    if variant.backend != "asyncio":
        return  # trio has no task without a nursery, and ours has ended
    for _ in range(3):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("variant", ASYNCIO, ids=lambda variant: variant.name)
def test_the_cancellation_that_comes_out_is_the_one_that_went_in(server, variant):
    server.on("/f", steps.respond(503))
    clock = VirtualClock(auto=False)

    async def main():
        async with variant.client(bide.parse(POLICY).bind(clock=clock)) as client:
            task = asyncio.create_task(client.native(Ask(server.url + "/f")))
            await asyncio.to_thread(clock.wait_for_sleepers)
            task.cancel("enough")
            with pytest.raises(asyncio.CancelledError, match="enough") as caught:
                await task
            assert getattr(caught.value, "__notes__", []) == []
            assert task.cancelling() == 1

    variant.run(main)
    assert len(server.requests) == 1
