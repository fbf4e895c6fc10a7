"""A clock for scenarios in which a connection that the server still holds would make a race."""

from bide.testing import VirtualClock


class SettlingClock(VirtualClock):
    """A clock on which each wait lasts, for real, until the server has closed its connections."""

    def __init__(self, server):
        super().__init__()
        self._server = server

    def sleep(self, seconds):
        self._server.wait_until_idle()
        super().sleep(seconds)

    async def asleep(self, seconds):
        self._server.wait_until_idle()
        await super().asleep(seconds)
