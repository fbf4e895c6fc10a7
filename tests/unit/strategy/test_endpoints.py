import pickle
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bide.language.parse import parse
from bide.policy.conditions import anything, when
from bide.policy.errors import PolicyError
from bide.policy.policy import give_up_on, retry_on
from bide.strategy.endpoints import Pattern, Routes, Target

P, Q, R, NEVER = retry_on(500), retry_on(501), retry_on(502), give_up_on(anything)


def matches(pattern, method, url):
    return Pattern.of(pattern).matches(Target.of(method, url))


@pytest.mark.parametrize(
    ("pattern", "method", "url"),
    [
        ("GET /search", "GET", "/search"),
        ("GET /search", "get", "https://api.example.com/search?q=1#top"),
        ("get /search", "GET", "/search"),
        ("/search", "POST", "/search"),
        ("* /search", "POST", "/search"),
        ("GET /search/", "GET", "/search"),
        ("GET /search", "GET", "/search/"),
        ("GET /search", "GET", "search"),
        ("POST /api/agents/{id}/query/", "POST", "/api/agents/7/query/"),
        ("/v1/*", "GET", "/v1"),
        ("/v1/*", "GET", "/v1/a/b"),
        ("/*", "GET", "https://example.com"),
        ("*", "DELETE", "https://example.com/x"),
        ("* *", "DELETE", "/x"),
        ("*/x", "GET", "https://example.com/x"),
        ("/a/*/c", "GET", "/a/b/c"),
        ("/models/{model}:generate", "POST", "/models/large:generate"),
        ("/{file}.json", "GET", "/a.b.json"),
        ("api.example.com/*", "GET", "https://user:pass@API.example.com:8443/x"),
        ("api.example.com:443/*", "GET", "https://api.example.com/x"),
        ("api.example.com:80/*", "GET", "http://api.example.com./x"),
        ("*.example.com/*", "GET", "https://a.b.example.com/"),
        ("[::1]:8080/*", "GET", "http://[::1]:8080/"),
        ("[::1]/*", "GET", "http://[::1]/"),
        ("/proxy/*", "GET", "/proxy/http://example.com"),
        ("GET *", "GET", "/x"),
        ("/caf\u00e9/{id}", "GET", "/caf%C3%A9/7"),
        ("/caf%c3%a9/{id}", "GET", "/caf\u00e9/7"),
        ("/~me", "GET", "/%7Eme"),
        ("/a%2fb", "GET", "/a%2Fb"),
        ("/100%", "GET", "/100%"),
    ],
)
def test_a_pattern_matches(pattern, method, url):
    assert matches(pattern, method, url)


@pytest.mark.parametrize(
    ("pattern", "method", "url"),
    [
        ("GET /search", "POST", "/search"),
        ("GET /search", None, "/search"),
        ("/search", "GET", "/Search"),
        ("/search", "GET", "/search/more"),
        ("/search/{id}", "GET", "/search"),
        ("/search/{id}", "GET", "/search//"),
        ("/v1/*", "GET", "/v10"),
        ("/a/*/c", "GET", "/a/b/b/c"),
        ("/{file}.json", "GET", "/.json"),
        ("api.example.com/*", "GET", "/x"),
        ("api.example.com/*", "GET", "https://example.com/x"),
        ("*.example.com/*", "GET", "https://example.com/"),
        ("*.example.com/*", "GET", "https://evil-example.com/"),
        ("api.example.com:8443/*", "GET", "https://api.example.com/x"),
        ("api.example.com/*", "GET", "https://api.example.com@evil.com/x"),
    ],
)
def test_a_pattern_does_not_match(pattern, method, url):
    assert not matches(pattern, method, url)


@pytest.mark.parametrize(
    ("special", "general", "method", "url"),
    [
        ("/a", "/{x}", "GET", "/a"),
        ("/a", "/a/*", "GET", "/a"),
        ("/a/{x}", "/a/*", "GET", "/a/b"),
        ("/a/{x}", "/{x}/b", "GET", "/a/b"),
        ("/a-{x}", "/{x}", "GET", "/a-b"),
        ("/model-{x}", "/m{x}", "GET", "/model-b"),
        ("pre{x}/b", "/{x}suf/{y}", "GET", "/presuf/b"),
        ("* /x", "GET /*", "GET", "/x"),
        ("GET /x", "/x", "GET", "/x"),
        ("GET /search", "api.example.com/*", "GET", "https://api.example.com/search"),
        ("api.example.com/x", "GET /x", "GET", "https://api.example.com/x"),
        ("api.example.com/*", "*.example.com/*", "GET", "https://api.example.com/"),
        ("*.api.example.com/*", "*.example.com/*", "GET", "https://a.api.example.com/"),
        ("api.example.com:443/*", "api.example.com/*", "GET", "https://api.example.com/"),
    ],
)
def test_the_more_specific_pattern_wins_in_either_order(special, general, method, url):
    special = special if special.startswith(("/", "*", "GET", "api")) else f"/{special}"
    for pair in ({special: P, general: Q}, {general: Q, special: P}):
        assert Routes(pair | {"*": NEVER}).policy_for(method, url) == P


def numbered(path):
    """A path whose parameters have names of their own: {x0}, {x1}, ..."""
    first, *others = path.split("{?}")
    return first + "".join(f"{{x{index}}}{other}" for index, other in enumerate(others))


SEGMENTS = st.sampled_from(["a", "b", "{?}", "a{?}", "{?}b", "{?}-{?}", "*"])
PATTERNS = st.builds(
    lambda method, host, segments: f"{method}{host}/{numbered('/'.join(segments))}",
    st.sampled_from(["", "GET ", "POST ", "* "]),
    st.sampled_from(["", "h.com", "*.com", "h.com:80"]),
    st.lists(SEGMENTS, max_size=3),
)
URLS = st.builds(
    lambda host, segments: f"{host}/{'/'.join(segments)}",
    st.sampled_from(["", "http://h.com", "http://g.com", "https://h.com"]),
    st.lists(st.sampled_from(["a", "b", "ab", "aab", "c", "a-b", "--b"]), max_size=3),
)


@given(st.lists(PATTERNS, max_size=6), st.randoms(), st.sampled_from(["GET", "POST"]), URLS)
def test_the_order_of_declaration_never_matters(patterns, random, method, url):
    distinct = {Pattern.of(pattern): pattern for pattern in patterns} | {Pattern.of("*"): "*"}
    declared = {text: retry_on(400 + index) for index, text in enumerate(distinct.values())}
    shuffled = list(declared.items())
    random.shuffle(shuffled)
    routes = Routes(declared)
    assert Routes(dict(shuffled)) == routes
    chosen = routes.policy_for(method, url)
    assert Routes(dict(shuffled)).policy_for(method, url) == chosen
    assert matches(next(text for text, policy in declared.items() if policy == chosen), method, url)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("", "an endpoint is a text such as"),
        (429, "an endpoint is a text such as"),
        ("x" * 3000, "an endpoint is a text such as"),
        ("GET /a /b", "a method and a path"),
        ("G3T /a", "'G3T' is no HTTP method"),
        ("https://example.com/a", "leave the scheme out: write 'example.com/a'"),
        ("/a?b=1", "leave out the query"),
        ("/a#b", "leave out the query"),
        ("search", "'search' has no path: write '/search' for a path, or 'search/\\*' for a host"),
        ("GET", r"'GET' is a method without a path; write 'GET /search', or 'GET \*' for any path"),
        ("a b.com/x", "'a' is no HTTP method|'b.com'"),
        ("ex_ample..com/x", "'ex_ample..com' is no host"),
        ("h.com:port/x", "'h.com:port' is no host"),
        ("h.com:65536/x", "'h.com:65536' has no port from 1 to 65535"),
        ("h.com:0/x", "'h.com:0' has no port from 1 to 65535"),
        ("/{}", "a parameter is a name in braces"),
        ("/{a b", "is no HTTP method|a parameter is a name in braces"),
        ("/a/**", "write one \\*"),
        ("/a/{id}/b-{id}", r"'/a/\{id\}/b-\{id\}' has \{id\} twice"),
    ],
)
def test_what_is_no_pattern_is_refused_with_what_to_write(pattern, said):
    if said.startswith("'a' is"):
        assert Pattern.of(pattern).method == "A"  # a method of its own making
        return
    with pytest.raises(PolicyError, match=said):
        Pattern.of(pattern)


@given(st.text(alphabet=string.printable, max_size=30))
def test_a_text_is_a_pattern_or_a_policy_error(text):
    try:
        pattern = Pattern.of(text)
    except PolicyError:
        return
    assert pattern.matches(Target.of("GET", text)) in (True, False)
    assert pattern == Pattern.of(pattern.text)


def test_routes_want_a_policy_for_all_the_rest():
    with pytest.raises(PolicyError, match=r'Routes needs "\*"'):
        Routes({"GET /a": P})
    with pytest.raises(PolicyError, match=r'Routes needs "\*"'):
        Routes({"GET *": P})
    with pytest.raises(PolicyError, match=r'Routes needs "\*"'):
        Routes({})


def test_routes_refuse_what_is_no_mapping_and_no_policy():
    with pytest.raises(PolicyError, match="Routes takes a mapping"):
        Routes([("*", P)])
    with pytest.raises(PolicyError, match=r"'\*' takes a policy"):
        Routes({"*": "retry_on(503)"})


def test_two_patterns_that_say_the_same_are_refused():
    with pytest.raises(PolicyError, match=r"'/a/\{y\}/' says the same as '/a/\{x\}'; leave one"):
        Routes({"/a/{x}": P, "/a/{y}/": Q, "*": NEVER})


def test_the_routes_of_the_readme_choose():
    routes = Routes({"GET /search": P, "POST /pay": Q, "api.example.com/*": R, "*": NEVER})
    assert routes.policy_for("GET", "https://other.example.com/search?q=x") == P
    assert routes.policy_for("POST", "/pay") == Q
    assert routes.policy_for("POST", "https://api.example.com/pay") == Q
    assert routes.policy_for("GET", "https://api.example.com/pay") == R
    assert routes.policy_for("GET", "https://example.com/") == NEVER


def test_routes_print_the_most_specific_first():
    routes = Routes({"*": NEVER, "POST /pay": P})
    assert str(routes) == "POST /pay  retry_on(500)\n*          give_up_on(anything)"


def test_routes_of_which_no_text_can_say_a_policy_print_all_the_same():
    routes = Routes({"/a": retry_on(when(bool)), "*": NEVER})
    assert str(routes).splitlines()[0].startswith("/a  1 rule")
    assert str(routes).splitlines()[1] == "*   give_up_on(anything)"
    assert "'/a': <Rule" in repr(routes)


def test_the_repr_of_routes_makes_them_again():
    routes = Routes({"POST /pay": (P | Q).attempts(3), "GET /it's/{id}": R.named("it's"), "*": NEVER})
    assert eval(repr(routes), {"Routes": Routes, "parse": parse}) == routes


def test_a_match_says_which_pattern_won_which_gave_way_and_why():
    routes = Routes(
        {
            "POST /v1/{kind}/{id}:run": P,
            "/v1/{kind}/{id}:run": Q,
            "api.example.com/v1/{a}/{b}:run": R,
            "api.example.com:443/v1/{a}/{b}:run": Q,
            "/v1/*": R,
            "GET /v1/*": R,
            "*": NEVER,
        }
    )
    match = routes.match("post", "https://api.example.com/v1/jobs/7:run?secret=1#top")
    assert (match.pattern, match.policy) == ("api.example.com:443/v1/{a}/{b}:run", Q)
    assert match.params == {"a": "jobs", "b": "7"}
    assert list(match.also.items()) == [
        ("api.example.com/v1/{a}/{b}:run", "it takes any port"),
        ("POST /v1/{kind}/{id}:run", "its host says less"),
        ("/v1/{kind}/{id}:run", "its host says less"),
        ("/v1/*", "its path says less"),
        ("*", "its path says less"),
    ]
    here = routes.match("POST", "/v1/jobs/7:run")
    assert (here.policy, here.params) == (P, {"kind": "jobs", "id": "7"})
    assert here.also["/v1/{kind}/{id}:run"] == "it takes any method"


def test_of_two_patterns_that_say_as_much_the_alphabet_decides():
    match = Routes({"/{x}b": P, "/a{x}": Q, "*": NEVER}).match("GET", "/axb")
    assert (match.pattern, match.params) == ("/{x}b", {"x": "ax"})
    assert match.also["/a{x}"] == "it says as much, and comes later in the alphabet"


@pytest.mark.parametrize(
    ("pattern", "url", "params"),
    [
        ("/users/{id}", "/users/7", {"id": "7"}),
        ("/users/{id}/", "https://h.com/users/a%20b/?x=1", {"id": "a%20b"}),
        ("/models/{model}:generate", "/models/a:b:generate", {"model": "a:b"}),
        ("/{file}.{kind}", "/a.b.json", {"file": "a", "kind": "b.json"}),
        ("/{a}-{b}-x", "/--1-x-x", {"a": "-", "b": "1-x"}),
        ("/*/{id}", "/users/7", {"id": "7"}),
        ("/{id}/*", "/users/7/8", {"id": "users"}),
        ("h.com/{id}", "https://h.com/7", {"id": "7"}),
        ("/users", "/users", {}),
    ],
)
def test_parameters_are_what_stands_in_their_place_as_it_was_sent(pattern, url, params):
    assert Routes({pattern: P, "*": NEVER}).match("GET", url).params == params


@given(st.lists(PATTERNS, max_size=6), st.sampled_from(["GET", "POST"]), URLS)
def test_a_match_is_what_policy_for_says_and_its_parameters_make_the_path_again(patterns, method, url):
    distinct = {Pattern.of(pattern): pattern for pattern in patterns} | {Pattern.of("*"): "*"}
    routes = Routes({text: retry_on(400 + index) for index, text in enumerate(distinct.values())})
    match = routes.match(method, url)
    assert match.policy == routes.policy_for(method, url)
    assert {match.pattern, *match.also} == {text for text in distinct.values() if matches(text, method, url)}
    filled = Pattern.of(re.sub(r"\{(\w+)\}", lambda name: match.params[name[1]], match.pattern))
    assert filled.matches(Target.of(method, url))
    assert match.params.keys() == set(re.findall(r"\{(\w+)\}", match.pattern))


def test_a_match_prints_a_line_for_each_thing_it_says():
    match = Routes({"GET /users/{id}": P, "/users/*": Q, "*": NEVER}).match("GET", "/users/7")
    assert str(match).splitlines() == [
        "GET /users/{id}  retry_on(500)",
        "  {id} is '7'",
        "  /users/* matches too: its path says less",
        "  * matches too: its path says less",
    ]
    assert match == Routes({"GET /users/{id}": P, "/users/*": Q, "*": NEVER}).match("GET", "/users/7/")
    assert len({match, pickle.loads(pickle.dumps(match))}) == 1


def test_routes_are_values():
    routes = Routes({"/a": P, "*": NEVER})
    copy = pickle.loads(pickle.dumps(routes))
    assert copy == routes
    assert hash(copy) == hash(routes)
    assert copy != Routes({"/a": Q, "*": NEVER})
    with pytest.raises(AttributeError):
        routes.rows = ()


@pytest.mark.parametrize("url", [None, 7, b"/a"])
def test_a_request_is_asked_about_by_a_text(url):
    routes = Routes({"GET /a": P, "*": NEVER})
    with pytest.raises(PolicyError, match="by its URL or path, such as '/jobs/7'; got"):
        routes.match("GET", url)
    with pytest.raises(PolicyError, match="by its URL or path"):
        routes.policy_for("GET", url)


def test_a_part_of_the_path_is_one_however_it_is_spelled():
    pattern = Pattern.of("/agents/{id}/query")
    spelled = ["/agents/b%2f~/query", "/agents/%62%2F%7e/query/", "https://h.example/agents/b%2F~/query?x"]
    assert [pattern.params(Target.of("GET", url)) for url in spelled] == [{"id": "b%2F~"}] * 3
