"""Retries for urllib3: a pool manager whose requests are repeated by a policy."""

from contextlib import suppress
from functools import partial
from io import BufferedReader
from typing import Any

import urllib3

from bide import Outcome, Policy, Runtime
from bide.adapters import http
from bide.engine import loop

Rules = Policy | Runtime | http.Source
PLAIN = (type(None), bytes, str, bytearray, list, tuple)


class RetryPools(urllib3.PoolManager):
    """A pool manager that repeats requests, each hop of a redirect too; urllib3's own retries are off."""

    def __init__(
        self,
        policy: Rules,
        *,
        count_header: str | None = None,
        idempotency_key: bool | str = False,
        **pools: Any,
    ) -> None:
        super().__init__(**pools)
        self.selector = http.Selector(policy)
        self.count_header = http.header_name(count_header)
        self.key_header = http.key_header(idempotency_key)
        made: Any = {"http": partial(RetryPool, self), "https": partial(RetrySecurePool, self)}
        self.pool_classes_by_scheme = made

    def urlopen(self, method: str, url: str, redirect: bool = True, **options: Any) -> Any:  # type: ignore[override]
        """Send a request and follow its redirects, with one idempotency key if it needs one."""
        headers = urllib3.HTTPHeaderDict(options.get("headers") or self.headers)
        own = options.get("retries", self.connection_pool_kw.get("retries"))
        retries: Any = urllib3.Retry.from_int(own, redirect=redirect)
        key = None if retries.history else http.new_key(self.key_header, method, headers)
        if key is not None and self.selector.settings(method, url) is not None:
            headers[str(self.key_header)] = key
            kept_back = retries.remove_headers_on_redirect | {str(self.key_header).lower()}
            retries = retries.new(remove_headers_on_redirect=kept_back)
        return super().urlopen(method, url, redirect, **{**options, "headers": headers, "retries": retries})


class RetryPool(urllib3.HTTPConnectionPool):
    """The connections to one server: each request is a call."""

    def __init__(self, pools: RetryPools, *where: Any, **options: Any) -> None:
        super().__init__(*where, **options)
        self.pools = pools

    def urlopen(self, method: str, url: str, body: Any = None, **options: Any) -> Any:  # type: ignore[override]
        """Return the response to a request, after as many attempts as the policy makes."""
        send_once = partial(super().urlopen, method, url, body)
        absolute = url if "://" in url else f"{self.scheme}://{self.host}:{self.port}{url}"
        settings = self.pools.selector.settings(method, absolute)
        if settings is None:
            return send_once(**options)
        headers = urllib3.HTTPHeaderDict(options["headers"])
        call = PoolCall(settings, method, absolute, headers, self.pools.key_header, self.pools.selector)
        call.prepare(body, {"timeout": self.timeout, **options}, self.pools.count_header)
        response = loop.run(call, call.send, send_once)
        if call.reads_all:
            _ = response.data
        response.retries = urllib3.Retry.from_int(options.get("retries"), default=self.retries)
        return response


class RetrySecurePool(RetryPool, urllib3.HTTPSConnectionPool):
    """The same by TLS."""


class PoolCall(http.RequestCall):
    """One request by a policy."""

    def prepare(self, body: Any, options: dict[str, Any], count_header: str | None) -> None:
        """Note what is sent, and how."""
        self.body, self.start, self.sent = body, None, False
        self.options, self.count_header = options, count_header
        self.reads_all = options.get("preload_content", True)
        for hop in getattr(options.get("retries"), "history", ())[:1]:  # the first redirect of this call
            self.first_url = hop.url
        with suppress(AttributeError, OSError, ValueError):  # no file, or one that cannot tell
            self.start = body.tell()

    def send(self, send_once: Any) -> Any:
        """Return the response to one attempt, its body read as far as somebody asks about it."""
        self.peeked = None
        self.headers.update(self.renewed_headers())
        if self.count_header is not None and self.attempt > 1:
            self.headers[self.count_header] = str(self.attempt - 1)
        given = self.options["timeout"]
        timeout: Any = given if isinstance(given, urllib3.Timeout) else urllib3.Timeout.from_float(given)
        timeout = timeout.clone()
        timeout.total = self.shrunk(timeout.total)
        ours = {"headers": self.headers, "timeout": timeout, "retries": False, "preload_content": False}
        with self.dating():
            response = send_once(**{**self.options, **ours})
        self.sent = True
        try:
            if response.status in self.settings.body_statuses:
                response = self._peek(response)
            if self.reads_all and (response.status < 400 or response.status not in self.settings.statuses):
                _ = response.data
        except BaseException:
            self.close(response)
            raise
        return response

    def _peek(self, response: Any) -> Any:
        """Read the beginning of a body, and return a response of which nothing was read."""
        if response.status in http.NEW_CONNECTION:
            sock, response.connection.sock = response.connection.sock, None
            sock.close()  # once the response, too, is done with it
        beginning, whole = http.read_ahead(partial(response.read, decode_content=False))
        self.peeked = http.decoded(beginning, self.headers_of(response)) if whole else None
        rest = partial(response.read1, decode_content=False)
        body = BufferedReader(http.Ahead(beginning, rest, partial(self.close, response)))
        facts = {"headers": response.headers, "status": response.status, "reason": response.reason}
        return urllib3.HTTPResponse(body, **facts, preload_content=False, request_method=self.method)

    def failed(self, error: Exception) -> bool:
        self.sent = self.sent or not Outcome(error=error).fault.unsent
        return super().failed(error)

    def replayable(self) -> bool:
        if not self.sent or isinstance(self.body, PLAIN):
            return True
        with suppress(Exception):  # no file, a closed one, or one that cannot seek
            self.body.seek(self.start)
            return True
        return False

    def status_of(self, response: Any) -> int:
        return int(response.status)

    def headers_of(self, response: Any) -> list[tuple[str, str]]:
        return list(response.headers.items())

    def drain(self, response: Any) -> None:
        http.drain(partial(response.read1, decode_content=False), response.connection.sock.settimeout)

    def close(self, response: Any) -> None:
        response.close()
        response.release_conn()
