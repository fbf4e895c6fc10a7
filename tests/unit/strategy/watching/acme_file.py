"""The file of a strategy, as it was and as it becomes."""

from bide import parse

HEAD = "[api]\nname = 'acme'\ntitle = 'Acme'\ndocs = 'Errors'\n"
BAD = HEAD + "[policies]\ndefault = 'retry_on(503).exponental()'\n"
EVERY = 5.0


def saying(policy):
    return f"{HEAD}[policies]\ndefault = '{policy}'\n"


OLD, NEW = parse("retry_on(503).fixed(1s)"), parse("retry_on(503).fixed(2s)")
OLD_TEXT, NEW_TEXT = saying(OLD), saying(NEW)


def put(path, text):
    """Put a file in the place of another, as deploying tools do."""
    fresh = path.with_name("fresh")
    fresh.write_text(text, "utf-8")
    fresh.replace(path)
