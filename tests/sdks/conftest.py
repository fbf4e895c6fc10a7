"""The SDKs are no test tools of bide's: `nox -s sdks` installs them. Elsewhere nothing of this folder is collected."""

from importlib.util import find_spec

SDKS = ["anthropic", "azure.core", "boto3", "elasticsearch", "github", "google.api_core", "grpc", "openai"]
SDKS += ["slack_sdk", "stripe"]


def is_installed(name):
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # not even the package around it
        return False


collect_ignore = [] if all(map(is_installed, SDKS)) else ["test_sdks.py"]
