"""A response of a client that is not here: what the engine reads by the name of its module alone."""


class Answer:
    """A response as requests has them; the header `X-A` is written `X_A`."""

    def __init__(self, status=200, content=b"", **headers):
        self.status_code = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.content = content
        self.request = None
        self.url = "http://example.com/"


Answer.__module__ = "requests.models"
