"""The same checks and tests on every supported Python (`nox`, `nox -s tests-3.13`) and every supported client."""

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["check", "tests"]

PYTHONS = ["3.11", "3.12", "3.13"]
CLIENT_TESTS = ["tests/adapters", "tests/conformance", "tests/pitfalls", "tests/scenarios", "tests/unit"]

SDKS = [
    "anthropic",
    "azure-core",
    "boto3",
    "elasticsearch",
    "google-api-core",
    "grpcio",
    "grpcio-status",
    "openai",
]
SDKS += ["PyGithub", "slack-sdk", "stripe"]


def install(session: nox.Session) -> None:
    session.install("-c", "constraints.txt", "-e", ".[test]")


def run_tests(session: nox.Session, *paths: str) -> None:
    session.run("python", "-m", "pytest", "-n", "auto", "--dist", "loadfile", *paths, *session.posargs)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    install(session)
    run_tests(session)


@nox.session(name="clients-lowest", python=PYTHONS[0])
def clients_lowest(session: nox.Session) -> None:
    install(session)
    session.install("-r", "constraints-lowest.txt", "-e", ".[test]")
    run_tests(session, *CLIENT_TESTS)


@nox.session(name="clients-highest", python=PYTHONS[-1])
def clients_highest(session: nox.Session) -> None:
    session.install("-e", ".[test]")
    run_tests(session, *CLIENT_TESTS)


@nox.session(name="fifth-client", python=PYTHONS[-1])
def fifth_client(session: nox.Session) -> None:
    """The worked example of docs/how-to/write-an-adapter.md, where none of the four clients is installed."""
    session.install("-c", "constraints.txt", "-e", ".", "urllib3", "pytest", "hypothesis", "sybil", "h11")
    session.run(
        "python", "-m", "pytest", "tests/conformance/test_fifth_client.py", "docs/how-to/write-an-adapter.md"
    )


@nox.session(python=PYTHONS[-1])
def sdks(session: nox.Session) -> None:
    """What the newest SDKs of docs/how-to/retry-an-sdk.md raise, which are installed nowhere else."""
    session.install("-c", "constraints.txt", "-e", ".[test]")
    session.install(*SDKS)
    session.run("python", "-m", "pytest", "tests/sdks", "docs/how-to/retry-an-sdk.md")


@nox.session(python=PYTHONS)
def check(session: nox.Session) -> None:
    install(session)
    session.run("ruff", "format", "--check")
    session.run("ruff", "check")
    session.run("mypy")
    session.run("pyright", "--pythonpath", f"{session.virtualenv.location}/bin/python")


@nox.session(python=PYTHONS[-1])
def docs(session: nox.Session) -> None:
    session.install(".[docs]")
    session.run("sphinx-build", "-W", "docs", "docs/_build")
