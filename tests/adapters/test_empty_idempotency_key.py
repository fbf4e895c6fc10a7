"""An idempotency key that says nothing is none: no server tells one request from another by it."""

import pytest
import requests
from multidict import CIMultiDict

from bide import Reason, history, retry_on
from bide.adapters.http import new_key
from bide.adapters.requests import install
from bide.engine.readers import has_key, outcome_of_value
from bide.testing import steps

EMPTY = ["", "  ", "\t"]
BUSY = steps.respond(503)
OK = steps.respond()
NAMES = ["Idempotency-Key", "x-idempotency-key"]


@pytest.mark.parametrize("value", [*EMPTY, b"", b" ", None])
@pytest.mark.parametrize(
    "make", [dict, CIMultiDict, lambda of: list(of.items())], ids=["dict", "multi", "pairs"]
)
def test_an_empty_value_is_no_key(make, value):
    if value is None and make is CIMultiDict:
        value = ""
    assert not has_key(make({"Idempotency-Key": value}))


@pytest.mark.parametrize("name", [*NAMES, b"Idempotency-Key"])
@pytest.mark.parametrize("value", ["7", b"7", 7])
def test_any_other_value_is_one(name, value):
    assert has_key({name: value})
    assert has_key([("X-Other", ""), (name, value)])


def test_of_two_names_one_value_is_enough():
    assert has_key({"Idempotency-Key": "", "X-Idempotency-Key": "7"})


@pytest.mark.parametrize("value", EMPTY)
@pytest.mark.parametrize("name", ["Idempotency-Key", "X-Request-Token"])
def test_a_request_with_an_empty_key_needs_one(name, value):
    assert new_key("X-Request-Token", "POST", {name: value}) is not None
    assert new_key("X-Request-Token", "POST", {name: "7"}) is None


def test_a_response_to_a_request_with_an_empty_key_is_to_one_without():
    response = requests.Response()
    response.status_code = 503
    response.request = requests.Request("POST", "http://example.test/", headers={NAMES[0]: ""}).prepare()
    assert not outcome_of_value(response).repeatable
    response.request.headers[NAMES[0]] = "7"
    assert outcome_of_value(response).repeatable


@pytest.mark.both_seams
@pytest.mark.parametrize("name", NAMES)
async def test_a_post_with_an_empty_key_is_not_repeated(kit, server, clock, name):
    server.on("/f", BUSY, OK)
    async with kit.client(retry_on(503).fixed(2), clock=clock) as client:
        response = await client.post(server.url + "/f", headers={name: ""})
    assert history(response).reason is Reason.NOT_IDEMPOTENT
    assert len(server.requests) == 1


@pytest.mark.both_seams
async def test_a_key_of_ours_takes_the_place_of_an_empty_one(kit, server, clock):
    server.on("/f", BUSY, OK)
    async with kit.client(retry_on(503).fixed(2), clock=clock, idempotency_key=True) as client:
        assert (await client.post(server.url + "/f", headers={NAMES[0]: " "})).status_code == 200
    first, again = [seen.header(NAMES[0]) for seen in server.requests]
    assert first == again
    assert first.strip()


@pytest.mark.parametrize("key", [False, True])
def test_a_session_of_requests_takes_an_empty_key_for_none(server, clock, key):
    server.on("/f", BUSY, OK)
    with requests.Session() as session:
        session.trust_env = False
        install(session, retry_on(503).fixed(2), clock=clock, idempotency_key=key)
        response = session.post(server.url + "/f", headers={NAMES[0]: ""})
    assert response.status_code == (200 if key else 503)
    assert len({seen.header(NAMES[0]) for seen in server.requests}) == 1
