"""`bide get`: one real request through a policy, its attempts shown as they happen."""

from __future__ import annotations

import base64
import os
import sys
from typing import Any, Final

import attrs
import click
import httpx

from bide.adapters.httpx import install
from bide.cli import inputs
from bide.cli.choice import Choice, Request, choose, strategy_option
from bide.cli.pace import PacedClock
from bide.cli.screen import err, print_json
from bide.cli.timeline import Timeline, row_document, summary
from bide.engine.clock import SYSTEM_CLOCK
from bide.engine.history import history
from bide.engine.pacing import PaceTimeout
from bide.policy.decision import Reason
from bide.policy.errors import PolicyError
from bide.policy.outcome import Outcome
from bide.policy.policy import Policy

_FIRST_ERROR: Final = 400
_KEPT: Final = 65_536
_LAST_PORT: Final = 65_535
_TELLING: Final = (httpx.ConnectError, PaceTimeout, UnicodeError)
"""What is raised with a text that tells more than its name, and quotes neither the URL nor a header."""


@click.command(short_help="Fetch a URL, retried by a policy.")
@click.argument("url")
@click.option("--policy", "text", help="The policy, such as 'retry_on(429, 5xx).exponential()'.")
@strategy_option
@click.option(
    "--method", type=inputs.method, metavar="METHOD", help="The method (GET when not said; POST with --data)."
)
@click.option(
    "--header",
    "headers",
    type=inputs.header,
    metavar="NAME=VALUE",
    multiple=True,
    help="A request header; never shown again.",
)
@click.option("--data", help="The request's body.")
@click.option(
    "--timeout",
    type=inputs.positive_duration,
    metavar="DURATION",
    default="10s",
    show_default=True,
    help="For connecting, and for each silence.",
)
@click.option("--output", type=click.Path(dir_okay=False), help="Write the body here, not on stdout.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document: attempts, status, body.")
@click.pass_context
def get(ctx: click.Context, /, *, url: str, as_json: bool, **said: Any) -> None:
    """
    Fetch URL, retried by a policy: attempts and waits on stderr, the body on stdout.

    The exit status is 0 when the last answer is below 400, else 1.
    """
    method = said["method"] or ("GET" if said["data"] is None else "POST")
    choice = choose(said["text"], said["strategy"], Request(method, url), what="--policy")
    policy = choice.policy
    request = _request(method, url, said["headers"], said["data"])
    body = Body(said["output"], in_memory=as_json)
    timeline = Timeline(None if as_json else err())
    if not as_json:
        choice.print(err())
    fetched = _fetch(choice, request, timeline, body, said["timeout"])
    timeline.ended(fetched.told, fetched.reason(policy, len(timeline.rows) + 1))
    if as_json:
        print_json(_document(fetched, timeline, choice))
    else:
        if fetched.detail is not None:
            err().print(f"  {fetched.detail}", soft_wrap=True)
        err().print(summary([(f"{method} {shown(request.url)}", timeline)]))
    ctx.exit(0 if fetched.fine else 1)


def _request(method: str, url: str, headers: list[tuple[str, str]], data: str | None) -> httpx.Request:
    """Return the request; what is wrong with an address is told without it, since it may hold a password."""
    try:
        parsed = httpx.URL(url)
        content = None if data is None else os.fsencode(data)  # the bytes as they were typed
        request = httpx.Request(method, parsed, headers=list(headers), content=content)
    except (httpx.InvalidURL, ValueError):
        raise click.UsageError("this is no URL that a request can go to") from None
    if parsed.scheme not in ("http", "https") or not parsed.host or (parsed.port or 0) > _LAST_PORT:
        raise click.UsageError(
            "the URL must begin with http:// or https:// and name a host, and a port below 65536"
        )
    return request


def shown(url: httpx.URL) -> str:
    """Return an address without what may be secret: no user, no password, no query."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}{url.path}"


class Body:
    """Where a response's body goes: a file, stdout, or memory; its beginning is kept for what rules ask."""

    def __init__(self, path: str | None, *, in_memory: bool) -> None:
        self.path = path
        self.in_memory = in_memory and path is None
        self.kept = bytearray()

    def take(self, response: httpx.Response) -> None:
        """Write the body out as it comes."""
        if self.path is None:
            stdout = None if self.in_memory else sys.stdout
            self._copy(response, None if stdout is None else stdout.buffer)  # None too where it was closed
            return
        try:
            with open(self.path, "wb") as file:  # noqa: PTH123  # the path is as the user wrote it
                self._copy(response, file)
        except OSError as error:
            raise click.UsageError(f"cannot write {self.path}: {error.strerror}") from None

    def _copy(self, response: httpx.Response, to: Any) -> None:
        chunk = b""
        for chunk in response.iter_bytes():
            if to is not None:
                to.write(chunk)
            if self.in_memory or len(self.kept) < _KEPT:
                self.kept += chunk
        if to is not None:
            if chunk and to.isatty() and not chunk.endswith(b"\n"):
                to.write(b"\n")  # the next line of the timeline is a line of its own
            to.flush()


@attrs.define
class Fetched:
    """What a request came to in the end: a response, or an exception, or both when the body broke off."""

    request: httpx.Request
    body: Body
    response: httpx.Response | None = None
    error: Exception | None = None

    @property
    def told(self) -> str:
        """The exception's name, or the status."""
        return str(self.status) if self.error is None else type(self.error).__name__

    @property
    def detail(self) -> str | None:
        """What the exception says of itself, where that tells more than its name."""
        return str(self.error) if isinstance(self.error, _TELLING) and str(self.error) else None

    @property
    def status(self) -> int | None:
        """The status that came, if one came."""
        return None if self.response is None else self.response.status_code

    @property
    def fine(self) -> bool:
        """Whether it is a response below 400, received to its end."""
        return self.error is None and self.status is not None and self.status < _FIRST_ERROR

    def reason(self, policy: Policy, attempt: int) -> Reason | None:
        """Return what the policy says of the end; None when the body broke off, since no policy is asked then."""
        known = history(self.error)
        if known is not None:
            return known.reason
        if self.response is None:
            outcome = Outcome(error=self.error, method=self.request.method)
        elif self.error is None:
            headers = self.response.headers.multi_items()
            outcome = Outcome(self.status, headers, bytes(self.body.kept), None, self.request.method)
        else:
            return None
        return policy.explain(outcome, attempt=attempt).reason


def _fetch(choice: Choice, request: httpx.Request, timeline: Timeline, body: Body, timeout: float) -> Fetched:
    clock = PacedClock(SYSTEM_CLOCK, countdown=timeline.countdown if timeline.animated else None)
    fetched = Fetched(request, body)
    with _client(timeout) as client:
        install(
            client,
            choice.policy if choice.strategy is None else choice.strategy,
            clock=clock,
            listeners=[timeline],
        )
        request.extensions["timeout"] = client.timeout.as_dict()
        try:
            fetched.response = client.send(request, stream=True)
        except PolicyError:
            raise
        except Exception as error:  # not all that a client raises is an HTTPError
            fetched.error = error
        else:
            _take(fetched, body)
    return fetched


def _client(timeout: float) -> httpx.Client:
    """Return a client; what can be wrong with it is said by the environment, and told without it."""
    try:
        return httpx.Client(timeout=timeout)
    except ImportError:
        needs = 'a proxy that the environment names speaks SOCKS, which needs: pip install "httpx[socks]"'
        raise click.UsageError(f"{needs}; to go without it set NO_PROXY='*'") from None
    except OSError as error:
        what = "the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read"
        raise click.UsageError(f"{what}: {error.strerror}; correct it, or leave it unset") from None
    except (httpx.InvalidURL, ValueError):
        what = "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names no proxy such as http://proxy.example:8080"
        raise click.UsageError(f"{what}; correct it, or set NO_PROXY='*'") from None


def _take(fetched: Fetched, body: Body) -> None:
    response = fetched.response
    assert response is not None  # it has just come
    try:
        body.take(response)
    except httpx.HTTPError as error:
        fetched.error = error
    finally:
        response.close()


def _document(fetched: Fetched, timeline: Timeline, choice: Choice) -> dict[str, Any]:
    """Return a finished request for machines; a body that is no text is in base64."""
    document: dict[str, Any] = {
        "method": fetched.request.method,
        "url": shown(fetched.request.url),
        "endpoint": choice.document(),
        "status": fetched.status,
        "error": None if fetched.error is None else type(fetched.error).__name__,
        "detail": fetched.detail,
        "attempts": [row_document(row) for row in timeline.rows],
        "waited": timeline.waited,
        "reason": timeline.rows[-1].reason,
        "retry_at": timeline.retry_at,
        "output": fetched.body.path,
    }
    if fetched.body.in_memory and fetched.response is not None:
        try:
            document["body"] = fetched.body.kept.decode()
        except UnicodeDecodeError:
            document["body_base64"] = base64.b64encode(fetched.body.kept).decode("ascii")
    return document
