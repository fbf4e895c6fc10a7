"""A strategy from a text, and all that is wrong with one."""

import pytest

from bide.strategy.reading import read

API = '[api]\nname = "acme"\ntitle = "Acme"\ndocs = "Errors"\n'


@pytest.fixture
def make():
    """Return the strategy of a text, the `[api]` section added."""

    def of(text, api=API):
        strategy, findings = read(api + text, "acme.toml")
        assert findings == []
        return strategy

    return of


@pytest.fixture
def wrong():
    """Return what is wrong with a text, the `[api]` section added, as (code, key, line, column, message)."""

    def of(text, api=API):
        strategy, findings = read(api + text, "acme.toml")
        assert strategy is None
        assert {finding.file for finding in findings} == {"acme.toml"}
        return [(one.code, one.key, one.line, one.column, one.message) for one in findings]

    return of
