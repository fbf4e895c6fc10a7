"""The sync and the asynchronous half of the adapter say the same; they differ by await alone."""

import ast
import inspect
import re
import textwrap

import pytest

from bide.adapters import http, httpx, httpx2, httpx_bodies, httpx_call, httpx_client, httpx_like

NAMES = {
    "handle_async_request": "handle_request",
    "aloop": "loop",
    "asend": "send",
    "apeek": "peek",
    "adrain": "drain",
    "arelease": "release",
    "aclose": "close",
    "aread": "read",
    "aiter": "iter",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "anext": "next",
    "async_auth_flow": "sync_auth_flow",
    "StopAsyncIteration": "StopIteration",
    "AsyncGenerator": "Generator",
}
Call = httpx_like.TransportCall
ClientCall = httpx_client.ClientCall
Shared = httpx_call.HttpxCall
TWINS = [
    (httpx_like.SyncTransport.handle_request, httpx_like.AsyncTransport.handle_async_request),
    (httpx_like.SyncTransport.close, httpx_like.AsyncTransport.aclose),
    (httpx_like.SyncTransport.__enter__, httpx_like.AsyncTransport.__aenter__),
    (httpx_like.SyncTransport.__exit__, httpx_like.AsyncTransport.__aexit__),
    (Call.send, Call.asend),
    (ClientCall.send, ClientCall.asend),
    (ClientCall.read, ClientCall.aread),
    (httpx_client.BoundedAuth.sync_auth_flow, httpx_client.BoundedAuth.async_auth_flow),
    (httpx_client.SyncClientSeam.send, httpx_client.AsyncClientSeam.send),
    (http.RequestCall.release, http.RequestCall.arelease),
    (Shared.drain, Shared.adrain),
    (Shared.close, Shared.aclose),
    (httpx_bodies.peek, httpx_bodies.apeek),
]


class Unawait(ast.NodeTransformer):
    def visit_AsyncFunctionDef(self, node):
        self.generic_visit(node)
        fields = {name: getattr(node, name, None) for name in ast.FunctionDef._fields}
        return ast.FunctionDef(**fields | {"name": NAMES.get(node.name, node.name)})

    def visit_AsyncFor(self, node):
        self.generic_visit(node)
        return ast.For(node.target, node.iter, node.body, node.orelse)

    def visit_Await(self, node):
        return self.visit(node.value)

    def visit_Name(self, node):
        node.id = NAMES.get(node.id, node.id)
        return node

    def visit_Attribute(self, node):
        self.generic_visit(node)
        node.attr = NAMES.get(node.attr, node.attr)
        return node


def told(function):
    tree = Unawait().visit(ast.parse(textwrap.dedent(inspect.getsource(function))))
    return ast.unparse(ast.fix_missing_locations(tree))


@pytest.mark.parametrize(("plain", "asynchronous"), TWINS)
def test_twins_differ_by_await_alone(plain, asynchronous):
    assert told(asynchronous) == told(plain)


def test_the_two_libraries_have_the_same_adapter():
    assert re.sub(r"\bhttpx\b", "httpx2", inspect.getsource(httpx)) == inspect.getsource(httpx2)
