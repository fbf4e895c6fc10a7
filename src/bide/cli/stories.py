"""What the demo's server does: a read-only prompt library, whose documented errors come in short stories."""

from __future__ import annotations

from typing import Final

import attrs

from bide.testing import FaultServer, Step, steps

_PROMPT: Final = {"id": "welcome-email", "version": 7, "text": "Write a warm welcome to {name}."}


def _error(status: int, code: str, message: str, **headers: str) -> Step:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return steps.json(status, {"error": {"code": code, "message": message}}, fields)


_LIMITED: Final = _error(429, "RATE_LIMITED", "Too many requests.", Retry_After="1")
_BROKEN: Final = _error(500, "INTERNAL_ERROR", "Something went wrong.", x_request_id="req_51c0ffee")


@attrs.frozen
class Story:
    """One request: where it goes, what it meets there, and how it must end."""

    name: str
    title: str
    path: str
    script: tuple[Step, ...]
    status: int
    reason: str | None
    attempts: int

    @property
    def request(self) -> str:
        """The request's first line, for people."""
        return f"GET {self.path}"


STORIES: Final = (
    Story(
        "recovers",
        "A rate limit, a server error and a lost connection, one after another",
        "/api/v1/prompts/welcome-email",
        (_LIMITED, _BROKEN, steps.reset(), steps.json(200, _PROMPT)),
        200,
        "succeeded",
        4,
    ),
    Story(
        "bad key",
        "A key that was revoked: asking again is no use",
        "/api/v1/prompts",
        (_error(401, "UNAUTHORIZED", "The key was revoked."),),
        401,
        "rule_gave_up",
        1,
    ),
    Story(
        "not there",
        "A prompt that is not there",
        "/api/v1/prompts/no-such-prompt",
        (_error(404, "NOT_FOUND", "Prompt not found."),),
        404,
        "rule_gave_up",
        1,
    ),
    Story(
        "broken",
        "A server that stays broken",
        "/api/v1/prompts/welcome-email/versions",
        (_BROKEN,),
        500,
        "retries_exhausted",
        4,
    ),
)


def play(server: FaultServer) -> None:
    """Script a server with all stories."""
    for story in STORIES:
        server.on(story.path, *story.script)
