"""
The JSON Schema of a strategy file, by which editors help while one is typed.

What may stand in a file is said by what reads it: the keys, the words and the patterns here are those. Only what each of
them means is said here. The schema never refuses what can be loaded; that a policy's text makes sense, `bide check` says.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final

import attrs

from bide.language.words import HEADS, WHOLE
from bide.strategy.cataloguing import KEYS, METHOD, REQUIRED, STATUS
from bide.strategy.contents import Contents
from bide.strategy.errors import CLASSES, EXPECTED
from bide.strategy.places import FAILED, Places
from bide.strategy.reading import API, API_NAME, EVERY_SECTION, NAME

Schema = dict[str, Any]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_SECTIONS: Final = {
    "api": "What the API is called, and the document that the file was written from.",
    "read": 'Where things stand in a response: a path of the JSON body, such as error.code, or "header:" and a name.',
    "rules": "Names for kinds of failure: what to do about each, and how long to wait. Policies join them by name.",
    "policies": "Names for policies. A bare name in a text is a rule of this file, or a policy above it.",
    "endpoints": "Patterns of requests that want another policy than the default. The most specific one wins.",
    "errors": "What is documented of each error code, and what the default policy must come to about it.",
    "categories": "What is documented of each category of errors, for APIs whose responses have a category and a code.",
    "statuses": "What is documented of responses that have a status and no code.",
}  # fmt: skip
_API: Final = {
    "name": "What the strategy is called: letters, digits, -, _ and .",
    "title": "The API's name, for people.",
    "docs": "The document that the file was written from: a URL, or its title.",
    "base_url": "Where the API is.",
}
_READ: Final = {
    "code": "Where the machine-readable code stands. When not said: where APIs usually put it.",
    "message": "Where the text for people stands. When not said: where APIs usually put it.",
    "request_id": "Where the request's id stands, which support asks for.",
    "delay": "Where the seconds to wait stand, for APIError.retry_after. When not said: every convention known.",
    "details": "Where more about the error stands, for APIError.details.",
    "param": "Where the name of the field at fault stands, for APIError.param.",
    "category": "Where the kind of error stands, of APIs whose responses have a category and a code.",
    "failed": "A condition that tells an error from a success where the status does not.",
}  # fmt: skip
_ERROR: Final = {
    "status": "The HTTP status, or a list of those that it comes with.",
    "decision": "What the default policy must come to; bide check proves it.",
    "meaning": "What went wrong.",
    "resolution": "What to do about it.",
    "raises": "The exception that raise_for raises. When not said, the status chooses.",
    "method": "The method of the request that proves the decision. When not said: the endpoint's, else GET.",
    "headers": "Headers of the response that proves the decision.",
    "endpoint": "The endpoint, one of [endpoints], whose policy must come to the decision. When not said: the default.",
    "example": "The response's body that proves the decision. When not said: the smallest that has the code.",
    "category": "The category that the code belongs to, one of [categories].",
    "details": "Where this code's details stand, if elsewhere than [read] says.",
    "when": "A condition that tells this error where responses have no code; the code is then only a name.",
}
_HEADER: Final = "What the header says."
_CODE: Final = "What is documented of this code; a table for each status where they differ."
_CATEGORY: Final = "What is documented of this category."
_STATUS: Final = "What is documented of this status."
_POLICY: Final = (
    'A policy, such as retry_on(429).after_header("Retry-After") | retry_on(5xx).exponential(max=3).'
)
_DEFAULT: Final = "The policy of every request that no endpoint is about."
_ENDPOINT: Final = (
    'The policy of the requests that match, such as "POST /v1/jobs/{id}" or "api.example.com/*".'
)

_TEXT: Final[Schema] = {"type": "string", "pattern": r"\S"}
_ONE_ERROR: Final[Schema] = {"$ref": "#/$defs/error"}


def schema() -> Schema:
    """Return the schema of a strategy file, as draft 2020-12 has it: data that `json` writes."""
    makers = {
        "api": _api,
        "read": _read,
        "rules": _rules,
        "policies": _policies,
        "endpoints": _endpoints,
        "errors": _errors,
        "categories": _categories,
        "statuses": _statuses,
    }
    sections = {name: {"description": _SECTIONS[name]} | makers[name]() for name in EVERY_SECTION}
    return {
        "$schema": _DIALECT,
        "title": "A strategy file of bide",
        "description": "How to call one API again after a failure, when not to, and what its errors mean.",
        **_table(sections, ("api", "policies")),
        "$defs": {"error": _documented("errors")},
    }


def _api() -> Schema:
    optional = {field.name for field in attrs.fields(Contents) if field.default is None}
    keys = {key: _said(_API[key]) for key in API}
    keys["name"]["pattern"] = _whole(API_NAME)
    return _table(keys, [key for key in API if key not in optional])


def _read() -> Schema:
    place = {"examples": ["error.code", "errors[0].code", "header:x-request-id"]}
    condition = {"examples": ['200 & body("ok", False)']}
    return _table(
        {
            field.name: _said(_READ[field.name]) | (condition if field.name == FAILED else place)
            for field in attrs.fields(Places)
        }
    )


def _rules() -> Schema:
    return _named(_said(_POLICY))


def _policies() -> Schema:
    named = _named(_said(_POLICY))
    return named | {"properties": {"default": _said(_DEFAULT)}, "required": ["default"]}


def _endpoints() -> Schema:
    return {"type": "object", "additionalProperties": _said(_ENDPOINT)}


def _errors() -> Schema:
    several = {"type": "array", "items": _ONE_ERROR, "minItems": 1}
    return {"type": "object", "additionalProperties": {"description": _CODE, "anyOf": [_ONE_ERROR, several]}}


def _categories() -> Schema:
    return {"type": "object", "additionalProperties": {"description": _CATEGORY} | _documented("categories")}


def _statuses() -> Schema:
    return _only({_whole(STATUS): {"description": _STATUS} | _documented("statuses")})


def _documented(section: str) -> Schema:
    """Return the schema of what is said of one error."""
    status = {"type": "integer", "minimum": 100, "maximum": 599}
    several = {"type": "array", "items": status, "minItems": 1}
    special: dict[str, Schema] = {
        "status": {"anyOf": [status, several]},
        "decision": {"enum": [*EXPECTED]},
        "raises": {"enum": [*CLASSES]},
        "method": {"type": "string", "pattern": _whole(METHOD)},
        "headers": {"type": "object", "additionalProperties": _said(_HEADER)},
    }
    keys = {key: {"description": _ERROR[key]} | special.get(key, _TEXT) for key in KEYS[section]}
    return _table(keys, [key for key in keys if key in ("status", *REQUIRED)])


def _said(what: str) -> Schema:
    """Return the schema of a text that is not empty."""
    return {"description": what} | _TEXT


def _table(keys: dict[str, Schema], required: Collection[str] = ()) -> Schema:
    """Return the schema of a table that has these keys and no others."""
    must = {"required": [*required]} if required else {}
    return {"type": "object", "properties": keys, **must, "additionalProperties": False}


def _named(value: Schema) -> Schema:
    """Return the schema of a table whose keys are names of rules or policies."""
    reserved = sorted((*HEADS, WHOLE, "forever"))
    return _only({_whole(NAME): value}) | {"propertyNames": {"not": {"enum": reserved}}}


def _only(patterns: dict[str, Schema]) -> Schema:
    return {"type": "object", "patternProperties": patterns, "additionalProperties": False}


def _whole(pattern: re.Pattern[str]) -> str:
    return f"^(?:{pattern.pattern})$"
