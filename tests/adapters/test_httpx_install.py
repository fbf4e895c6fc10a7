"""How a policy gets into a client: as its transport, or installed into a client that exists."""

import pytest

from bide import Routes, anything, give_up_on, history, retry_on, when
from bide.adapters import http
from bide.policy.errors import PolicyError
from bide.testing import FaultServer, steps

POLICY = retry_on(503).fixed(2)
OTHER = {"httpx": "httpx2", "httpx2": "httpx"}


class Endpoints:
    """A source of policies, as `Routes` and strategies are."""

    def __init__(self):
        self.asked = []

    def policy_for(self, method, url):
        self.asked.append((method, url))
        if "/never" in url:
            return None
        return retry_on(503).fixed(len(url) % 7 + 1).max(1)


async def test_install_returns_the_same_client_retrying(kit, server, clock):
    server.on("/f", steps.respond(503), steps.respond(body="done"))
    async with kit.bare() as client:
        own = client.own._transport
        assert (
            kit.adapter.install(client.own, POLICY, clock=clock, count_header="X-Retry-Count") is client.own
        )
        assert client.own._transport.inner is own
        response = await client.get(server.url + "/f")
    assert response.text == "done"
    assert server.requests[1].header("X-Retry-Count") == "1"
    assert clock.sleeps == [2.0]


async def test_install_keeps_proxies_from_the_environment(kit, server, clock, monkeypatch):
    for name in ("no_proxy", "NO_PROXY", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with FaultServer() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        proxy.on("/f", steps.respond(503), steps.respond(body="by proxy"))
        server.on("/f", steps.respond(body="direct"))
        async with kit.bare(trust_env=True) as client:
            before = dict(client.own._mounts)
            kit.adapter.install(client.own, POLICY, clock=clock)
            after = client.own._mounts
            assert list(after) == list(before)
            wrapped = [one.inner for one in after.values() if one is not None]
            assert wrapped == [one for one in before.values() if one is not None]
            assert None in after.values()
            assert (await client.get("http://example.test/f")).text == "by proxy"
            assert (await client.get(server.url + "/f")).text == "direct"
        assert len(proxy.requests) == 2
    assert clock.sleeps == [2.0]


async def test_install_wraps_mounts(kit, clock):
    mounted, own = kit.scripted(503, 200), kit.scripted(200)
    async with kit.bare(transport=own, mounts={"http://api.test": mounted}) as client:
        kit.adapter.install(client.own, POLICY, clock=clock)
        await client.get("http://api.test/")
        await client.get("http://other.test/")
    assert (len(mounted.requests), len(own.requests)) == (2, 1)
    assert (mounted.closed, own.closed) == (1, 1)
    assert clock.sleeps == [2.0]


@pytest.mark.parametrize("where", ["transport", "mounts"])
def test_a_client_that_retries_already_is_refused(kit, where):
    retrying = kit.retry_class(POLICY, kit.scripted(200))
    options = {"transport": retrying} if where == "transport" else {"mounts": {"http://x": retrying}}
    client = kit.bare(**options).own
    with pytest.raises(PolicyError, match="this client retries already"):
        kit.adapter.install(client, POLICY)


def test_installing_twice_is_refused_and_changes_nothing(kit):
    client = kit.adapter.install(kit.bare(transport=kit.scripted(200)).own, POLICY)
    transport = client._transport
    with pytest.raises(PolicyError, match="one policy"):
        kit.adapter.install(client, POLICY)
    assert client._transport is transport


@pytest.mark.parametrize(
    ("policy", "options"),
    [("retry_on(503)", {}), (POLICY, {"count_header": "a b"}), (retry_on(503).max(float("inf")), {})],
)
def test_a_client_stays_as_it_was_when_installing_fails(kit, policy, options):
    client = kit.bare(transport=kit.scripted(200)).own
    own = client._transport
    with pytest.raises(PolicyError):
        kit.adapter.install(client, policy, **options)
    assert client._transport is own


SEAMS = ("transport", "client")


@pytest.mark.parametrize("first", SEAMS)
@pytest.mark.parametrize("second", SEAMS)
def test_a_client_retries_at_one_seam_only_and_once(kit, first, second):
    client = kit.adapter.install(kit.bare(transport=kit.scripted(200)).own, POLICY, seam=first)
    transport, send = client._transport, client.send
    where = {"transport": "in its transport", "client": "around its send"}[first]
    with pytest.raises(PolicyError, match=f"retries already, {where}; put all rules into one policy"):
        kit.adapter.install(client, POLICY, seam=second)
    assert (client._transport, client.send) == (transport, send)


def test_a_client_with_a_retrying_transport_is_refused_at_its_send_too(kit):
    client = kit.bare(transport=kit.retry_class(POLICY, kit.scripted(200))).own
    with pytest.raises(PolicyError, match="retries already, in its transport"):
        kit.adapter.install(client, POLICY, seam="client")


@pytest.mark.parametrize("wrong", ["Client", "send", "", None, True, 1, ["client"]])
def test_what_is_no_seam_is_refused(kit, wrong):
    client = kit.bare(transport=kit.scripted(200)).own
    with pytest.raises(PolicyError, match="seam is 'transport' or 'client'; got ") as caught:
        kit.adapter.install(client, POLICY, seam=wrong)
    assert repr(wrong) in str(caught.value)
    assert "send" not in vars(client)


@pytest.mark.parametrize(
    ("policy", "options"),
    [("retry_on(503)", {}), (POLICY, {"count_header": "a b"}), (POLICY, {"idempotency_key": "a b"})],
)
def test_a_client_keeps_its_send_when_installing_fails(kit, policy, options):
    client = kit.bare(transport=kit.scripted(200)).own
    with pytest.raises(PolicyError):
        kit.adapter.install(client, policy, seam="client", **options)
    assert "send" not in vars(client)


async def test_at_the_clients_seam_transports_proxies_and_mounts_are_as_they_were(
    kit, server, clock, monkeypatch
):
    for name in ("no_proxy", "NO_PROXY", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    mounted = kit.scripted(503, 200)
    with FaultServer() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        proxy.on("/f", steps.respond(503), steps.respond(body="by proxy"))
        server.on("/f", steps.respond(503), steps.respond(body="direct"))
        async with kit.bare(trust_env=True, mounts={"http://api.test": mounted}) as client:
            before = (client.own._transport, dict(client.own._mounts))
            kit.adapter.install(client.own, POLICY, seam="client", clock=clock)
            assert (client.own._transport, client.own._mounts) == before
            assert (await client.get("http://example.test/f")).text == "by proxy"
            assert (await client.get(server.url + "/f")).text == "direct"
            assert (await client.get("http://api.test/f")).status_code == 200
    assert clock.sleeps == [2.0] * 3


async def test_a_runtime_is_taken_at_the_clients_seam_too(kit, server, clock):
    server.on("/f", steps.respond(503), steps.respond())
    events = []
    runtime = POLICY.bind(clock=clock, listeners=[events.append], name="search")
    async with kit.bare() as client:
        kit.adapter.install(client.own, runtime, seam="client")
        await client.get(server.url + "/f")
    assert {event.name for event in events} == {"search"}


def test_what_is_no_client_is_refused_by_name(kit):
    name = kit.module.__name__
    for wrong in (object(), None, kit.client_class, kit.scripted(200)):
        with pytest.raises(PolicyError, match=rf"takes a Client or an AsyncClient of {name}; got \w+\.\w+"):
            kit.adapter.install(wrong, POLICY)


def test_a_client_of_the_other_library_is_refused_by_name(kit):
    name = kit.module.__name__
    adapter = __import__(f"bide.adapters.{OTHER[name]}", fromlist=["install"])
    wanted = rf"of {OTHER[name]}; got {name}\.{kit.client_class.__name__}$"
    with pytest.raises(PolicyError, match=wanted):
        adapter.install(kit.bare(transport=kit.scripted(200)).own, POLICY)


def test_a_transport_wraps_what_can_send(kit):
    other = kit.module.HTTPTransport if kit.is_async else kit.module.AsyncHTTPTransport
    for wrong in (object(), other(verify=False), kit.bare(transport=kit.scripted(200)).own):
        with pytest.raises(PolicyError, match=f"wraps what has {kit.retry_class.sends_by}"):
            kit.retry_class(POLICY, wrong)


def test_what_is_no_policy_is_refused(kit):
    for wrong in ("retry_on(503)", None, 503, object()):
        with pytest.raises(PolicyError, match="takes a policy, routes or a strategy"):
            kit.retry_class(wrong, kit.scripted(200))


async def test_a_transport_without_another_sends_by_http(kit, server):
    server.on("/f", steps.respond(503), steps.respond(body="done"))
    async with kit.bare(transport=kit.retry_class(retry_on(503).immediately())) as client:
        assert (await client.get(server.url + "/f")).text == "done"


async def test_a_transport_can_be_entered_and_closed(kit, server):
    server.on("/f", steps.respond())
    transport = kit.retry_class(POLICY, kit.http())
    request = kit.module.Request("GET", server.url + "/f")
    if kit.is_async:
        async with transport as entered:
            response = await entered.handle_async_request(request)
            await response.aread()
    else:
        with transport as entered:
            response = entered.handle_request(request)
            response.read()
    assert entered is transport
    assert response.text == "ok"
    await kit.waited(server.wait_until_idle)


async def test_closing_a_client_closes_what_it_retries_over(kit):
    inner = kit.scripted(200)
    client = kit.client(POLICY, over=inner).own
    if kit.is_async:
        await client.aclose()
    else:
        client.close()
    assert inner.closed == 1


# Where policies come from


async def test_a_runtime_is_taken_as_it_is(kit, server, clock):
    server.on("/f", steps.respond(503), steps.respond())
    events = []
    runtime = POLICY.bind(clock=clock, listeners=[events.append], name="search")
    async with kit.client(runtime) as client:
        await client.get(server.url + "/f")
    assert clock.sleeps == [2.0]
    assert {event.name for event in events} == {"search"}


def test_options_beside_a_runtime_are_refused(kit, clock):
    with pytest.raises(PolicyError, match="a runtime is bound already"):
        kit.retry_class(POLICY.bind(clock=clock), kit.scripted(200), clock=clock)


async def test_each_endpoint_has_its_own_policy(kit, clock):
    endpoints = Endpoints()
    inner = kit.scripted(503, 200, 503, 200, 503)
    async with kit.client(endpoints, over=inner, clock=clock) as client:
        await client.get("http://example.test/a?q=1")
        await client.request("PUT", "http://example.test/abc")
        response = await client.get("http://example.test/never")
    assert endpoints.asked == [
        ("GET", "http://example.test/a?q=1"),
        ("PUT", "http://example.test/abc"),
        ("GET", "http://example.test/never"),
    ]
    assert clock.sleeps == [len(url) % 7 + 1 for _, url in endpoints.asked[:2]]
    assert response.status_code == 503
    assert history(response) is None
    assert len(inner.requests) == 5


async def test_routes_are_a_source(kit, clock):
    routes = Routes({"GET /jobs": POLICY, "*": give_up_on(anything)})
    async with kit.client(routes, over=kit.scripted(503, 200, 503), clock=clock) as client:
        assert (await client.get("http://example.test/jobs")).status_code == 200
        refused = await client.get("http://example.test/other")
    assert history(refused).reason == "rule_gave_up"
    assert clock.sleeps == [2.0]


def test_a_policy_that_cannot_be_hashed_can_be_used(kit):
    class Unhashable:
        __hash__ = None

        def __call__(self, outcome):
            return True

    assert kit.retry_class(retry_on(when(Unhashable())), kit.scripted(200)).count_header is None


def test_a_policy_is_bound_once_and_only_so_many_are_kept():
    class Inventive:
        def policy_for(self, method, url):
            return retry_on(503).fixed(float(url))

    selector = http.Selector(Inventive())
    assert selector.settings("GET", "1") is selector.settings("GET", "1")
    first = selector.settings("GET", "1")
    for number in range(2, 1000):
        selector.settings("GET", str(number))
    assert selector.settings("GET", "1") is not first
    assert selector._bound.cache_info().currsize <= 256


def test_a_policy_of_an_endpoint_that_is_unbounded_is_refused_when_it_is_met():
    class Endless:
        def policy_for(self, method, url):
            return retry_on(503).max(float("inf"))

    with pytest.raises(PolicyError, match="deadline"):
        http.Selector(Endless()).settings("GET", "http://example.test/")
