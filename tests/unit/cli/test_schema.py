import json

from bide.strategy.schema import schema


def test_it_prints_the_schema_and_nothing_else(run):
    done = run("schema")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == schema()
    assert run("schema", "--json").out == done.out
