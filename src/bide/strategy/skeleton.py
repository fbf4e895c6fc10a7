"""A strategy file to begin with: every section, what to write in it, and an example of each."""

from __future__ import annotations

import json
from typing import Final

_TEXT: Final = """\
# Which failures of this API are worth another attempt, how long to wait, and what each documented error means.
#
# Fill it in from the API's page about errors, from top to bottom: every entry is an example. Prove it as you go:
#
#     bide check FILE
#
# Editors that know JSON Schema help while you type: write `bide schema > strategy.schema.json` once, and make the first
# line of this file `#:schema ./strategy.schema.json`.

# What the API is called, and the page that you fill this file in from.
[api]
name = NAME # letters, digits, -, _ and .
title = NAME # for people
docs = "https://example.com/docs/errors"
# base_url = "https://api.example.com/v1"

# Where things stand in an error response: a path of the JSON body, or "header:" and a name.
[read]
code = "error.code" # what machines read
message = "error.message" # what people read
request_id = "header:x-request-id" # what the API's support asks for
# delay = "error.retry_after" # where the seconds to wait stand, if not in Retry-After or the like

# A name for each kind of failure, what to do about it, and how long to wait. max = retries, the first attempt not counted.
[rules]
throttled = 'retry_on(429).after_header("Retry-After").exponential(max=3)'
server_errors = 'retry_on(5xx).exponential(max=3)'
network_failures = 'retry_on(network).exponential(max=3)'
refused = 'give_up_on(4xx)'

# Rules joined by |, the first that matches decides; `default` is for all requests that no endpoint below is about.
[policies]
default = '(throttled | server_errors | network_failures | refused).attempts(5)'

# Requests that want another policy: method and path, in which {id} is one segment. The most specific pattern wins.
# `.pace("60/minute")` stays within a rate limit, `.pace("60/minute", per="id")` within one for each {id}.
[endpoints]
# "POST /v1/jobs/{id}" = 'default.attempts(2)'

# A table for each documented code. `decision` is what `default` must come to: retry, recover, give_up or accept.
[errors.rate_limited]
status = 429
decision = "retry"
meaning = "Too many requests in a short time." # what went wrong
resolution = "Wait as long as Retry-After says." # what to do about it

[errors.invalid_request]
status = 400
decision = "give_up"
meaning = "A parameter is missing or wrong."
resolution = "Correct the request as the message says."

# A response that has a status and no code is documented by [statuses.502], a kind of errors that have codes of their own
# by [categories.KIND].
"""


def skeleton(name: str) -> str:
    """Return the text of a strategy file of that name."""
    return _TEXT.replace("NAME", json.dumps(name, ensure_ascii=False))
