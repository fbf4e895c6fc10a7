"""What is installed or registered is part of the language: it parses, prints and compares as the built-ins do."""

import inspect
import sys

import attrs
import pytest

import bide
from bide import Condition, Delay, Outcome, PolicyError, PolicySyntaxError, Retry, Rule, Span, parse, retry_on
from bide.policy import params, registry
from bide.policy.delay import Ask


@pytest.fixture(autouse=True)
def table(monkeypatch):
    """A copy of the table, so that a test leaves no word behind."""
    monkeypatch.setattr(registry, "_TABLE", {kind: dict(words) for kind, words in registry._TABLE.items()})
    monkeypatch.setattr(registry, "_BARE", dict(registry._BARE))
    monkeypatch.setattr(registry, "_installed", {})


BUILT_IN = {
    name
    for name in registry.names("delays")
    if registry.find("delays", name).__module__.startswith("bide.policy")
}


def arguments_of_method(name):
    """The arguments of a rule's method: name, default, and whether it takes all that are left."""
    signature = inspect.signature(getattr(Rule, name))
    return [
        (param.name, param.default, param.kind is param.VAR_POSITIONAL)
        for param in list(signature.parameters.values())[1:]
        if param.name != "max"
    ]


def arguments_of_word(cls):
    """The same of a delay's arguments in text; jitter=True is spelled out as "full" there."""
    return [
        (param.name, inspect.Parameter.empty if param.required else param.default, param.variadic)
        for param in params.params_of(cls)
    ]


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_delay_is_a_method_with_the_same_arguments(name):
    written = [
        (argument, "full" if argument == "jitter" and default is True else default, variadic)
        for argument, default, variadic in arguments_of_method(name)
    ]
    assert written == arguments_of_word(registry.find("delays", name))
    maximum = inspect.signature(getattr(Rule, name)).parameters["max"]
    assert (maximum.default, maximum.kind) == (None, inspect.Parameter.KEYWORD_ONLY)


def test_every_method_that_returns_a_delayed_rule_is_a_delay():
    methods = {
        name
        for name, method in inspect.getmembers(Rule, inspect.isfunction)
        if "max" in inspect.signature(method).parameters and name not in {"waits", "hedge"}
    }
    assert methods == BUILT_IN


@pytest.mark.parametrize("name", ["body", "code", "header", "message", "method", "raises", "status"])
def test_every_condition_is_a_function_with_the_same_arguments(name):
    signature = inspect.signature(getattr(bide, name))
    cls = registry.find("conditions", name)
    written = [
        (param.name, param.default, param.kind is param.VAR_POSITIONAL)
        for param in signature.parameters.values()
    ]
    named = [
        (argument if not variadic else "...", default, variadic) for argument, default, variadic in written
    ]
    words = [
        (argument if not variadic else "...", default, variadic)
        for argument, default, variadic in arguments_of_word(cls)
    ]
    assert named == words


def test_every_condition_registered_is_exported_by_its_name():
    assert {name for name in registry.names("conditions") if not hasattr(bide, name)} == set()


@pytest.fixture
def moon():
    @bide.condition("moon")
    @attrs.frozen(eq=False, repr=False)
    class Moon(Condition):
        """The moon is in this phase."""

        phase: str = params.text()
        least: float = params.share(0.5)
        on: object = attrs.field(default=None)

        def matches(self, outcome):
            return self.phase in outcome.values("moon")

    return Moon


@pytest.fixture
def nap():
    @bide.delay("nap")
    @attrs.frozen
    class Nap(Delay):
        """A nap, longer each time."""

        first: float = params.seconds("90s")
        deep: bool = params.flag(False)

        def span(self, ask: Ask) -> Span:
            return Span(self.first, self.first * ask.retry)

        def longest(self, retry: int) -> float:
            return self.first * retry

    return Nap


def test_an_extension_works_in_text_and_in_python(moon, nap):
    written = retry_on(503 & moon("full", least=0.25), ~moon("new")).waits(nap("2m"), max=2)
    text = 'retry_on(503 & moon("full", 25%), ~moon("new")).nap(120s, max=2)'
    assert str(written) == text
    assert parse(text) == written
    assert written.decide(Outcome(503, {"Moon": "full"}), bide.State(draw=0.0)) == Retry(
        120.0, 0, Span(120.0, 120.0)
    )
    assert str(retry_on(503).waits(nap())) == "retry_on(503).nap()"
    assert str(retry_on(503).waits(nap(deep=True))) == "retry_on(503).nap(deep=True)"
    assert parse("retry_on(503).nap(deep=True)").clauses[0].delays == (nap(deep=True),)
    assert parse("retry_on(503).nap()").worst_case().seconds == 90 + 180 + 270
    assert "moon" in registry.names("conditions")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30s", 30.0),
        ("20%", 0.2),
        ("5xx", "5xx"),
        ('"x"', "x"),
        ("-3", -3),
        ("1.5", 1.5),
        ("True", True),
        ("None", None),
        ("forever", bide.forever),
    ],
)
def test_an_argument_of_no_kind_takes_any_plain_value(moon, text, value):
    (condition,) = parse(f'retry_on(moon("full", on={text}))').clauses[0].conditions
    assert condition.on == value
    assert parse(str(retry_on(condition))) == retry_on(condition)


@pytest.mark.parametrize("text", ["...", "x", "x.y", "f()", "[1]", "1 + 1", "~1"])
def test_and_nothing_else(moon, text):
    with pytest.raises(PolicySyntaxError):
        parse(f'retry_on(moon("full", on={text}))')


def test_a_value_that_no_text_can_say_is_told(moon):
    with pytest.raises(PolicyError, match=r"no text can say \[1, 2\] as on"):
        str(retry_on(moon("full", on=[1, 2])))


def test_errors_in_the_arguments_of_an_extension_point_at_them(moon, nap):
    with pytest.raises(
        PolicySyntaxError, match=r"least of moon\(\) takes a share, such as 20%; write 25%"
    ) as caught:
        parse('retry_on(moon("full", least=25))')
    assert caught.value.column == 29
    with pytest.raises(PolicySyntaxError, match="unknown method 'nip': did you mean 'nap'"):
        parse("retry_on(503).nip()")


def test_a_constructor_that_raises_whatever_it_likes_is_a_syntax_error():
    @bide.condition("rude")
    @attrs.frozen
    class Rude(Condition):
        def __attrs_post_init__(self):
            raise KeyError

        def matches(self, outcome):
            return True

    with pytest.raises(PolicySyntaxError, match="KeyError"):
        parse("retry_on(rude())")


def test_a_term_that_is_not_registered_has_no_text():
    @attrs.frozen
    class Private(Condition):
        def matches(self, outcome):
            return True

    with pytest.raises(PolicyError, match=r"its class is not registered with bide.condition or bide.delay"):
        str(retry_on(Private()))


@pytest.mark.parametrize("name", ["", "a b", "a.b", "1a", "é", "a-b"], ids=ascii)
def test_a_word_is_a_plain_identifier(name):
    with pytest.raises(PolicyError, match="write a plain ASCII identifier"):
        bide.condition(name)(bide.policy.conditions.Code)


def test_a_word_is_taken_once(moon, nap):
    with pytest.raises(
        PolicyError, match=r"'status' is already one of the conditions \(bide.policy.statuses\)"
    ):
        bide.condition("status")(moon)
    with pytest.raises(PolicyError, match="Moon is already registered, as 'moon'"):
        bide.condition("luna")(moon)
    with pytest.raises(PolicyError, match="'network' is already a condition"):
        registry.bare("network", moon("x"))
    assert bide.delay("nap")(nap) is nap


def test_a_word_is_an_attrs_class_of_its_kind(moon):
    class Plain(Delay):
        pass

    for cls in (moon, Plain, object, 7, moon("full")):
        with pytest.raises(PolicyError, match=r"must be an attrs class, a subclass of bide.Delay"):
            bide.delay("other")(cls)


def test_max_is_every_delays_own():
    @attrs.frozen
    class Greedy(Delay):
        max: float = params.count(3)

        def span(self, ask):
            return None

    with pytest.raises(PolicyError, match="every delay takes max= already"):
        bide.delay("greedy")(Greedy)


# -- installed


INSTALLED = """
import attrs
import bide
from bide.policy import params


@attrs.frozen
class Tide(bide.Condition):
    level: str = params.text("high")

    def matches(self, outcome):
        return True


@attrs.frozen
class Ebb(bide.Delay):
    hours: float = params.number(1)

    def span(self, ask):
        return bide.Span(self.hours * 60, self.hours * 60)

    def longest(self, retry):
        return self.hours * 60


@attrs.frozen
class Flag(bide.Condition):
    def matches(self, outcome):
        return outcome.status == 418


teapot = Flag()
nothing = 7
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    (tmp_path / "seaside.py").write_text(INSTALLED, "utf-8")
    info = tmp_path / "seaside-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: seaside\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text(
        "[bide.conditions]\ntide = seaside:Tide\nteapot = seaside:teapot\nbroken = seaside:missing\n"
        "nothing = seaside:nothing\nstatus = seaside:Tide\n"
        "[bide.delays]\nebb = seaside:Ebb\nlost = no_such_module:X\n",
        "utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("seaside", None)


@pytest.mark.usefixtures("installed")
def test_an_installed_extension_works_in_text():
    text = 'retry_on(503 & tide("low"), teapot).ebb(2, max=1)'
    policy = parse(text)
    assert str(policy) == text
    assert policy.decide(Outcome(418)).delay == 120.0
    assert parse("retry_on(tide())").clauses[0].conditions[0].level == "high"


@pytest.mark.usefixtures("installed")
def test_only_the_extension_that_is_named_is_loaded():
    parse("retry_on(503, TimeoutError, httpx.ReadTimeout).fixed(1s)")
    assert registry._installed == {}
    with pytest.raises(PolicySyntaxError, match="unknown method 'ebbb': did you mean 'ebb'"):
        parse("retry_on(503).ebbb()")
    assert "seaside" not in sys.modules
    assert "tide" not in registry.names("conditions")
    with pytest.raises(PolicySyntaxError, match="unknown condition 'tid': did you mean 'tide'"):
        parse("retry_on(tid)")
    with pytest.raises(PolicySyntaxError, match="tide needs its arguments, as in tide"):
        parse("retry_on(tide)")


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("text", "said", "column"),
    [
        ("retry_on(broken)", "'broken' is an installed extension that cannot be loaded: AttributeError", 10),
        (
            "retry_on(broken())",
            "'broken' is an installed extension that cannot be loaded: AttributeError",
            10,
        ),
        (
            "retry_on(503).lost()",
            "'lost' is an installed extension that cannot be loaded: ModuleNotFoundError",
            15,
        ),
        ("retry_on(nothing())", "nothing must be an attrs class", 10),
    ],
)
def test_an_extension_that_cannot_be_loaded_is_told_where_it_is_named(text, said, column):
    with pytest.raises(PolicySyntaxError, match=said) as caught:
        parse(text)
    assert caught.value.column == column


@pytest.mark.usefixtures("installed")
def test_an_extension_never_takes_a_built_in_word():
    assert parse("retry_on(status(503))") == retry_on(503)


def test_a_delay_that_nobody_has_named_is_refused_with_what_names_it():
    class Nameless(Delay):
        def span(self, ask):
            return Span(1, 1)

    with pytest.raises(
        PolicyError, match=r"waits\(\) takes a delay whose class @bide.delay has named; got .*Nameless"
    ):
        retry_on(503).waits(Nameless())
