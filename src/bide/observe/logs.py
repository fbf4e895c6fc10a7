"""Events as log records of the one logger `bide`: retries at INFO, giving up at WARNING, faults of yours at ERROR."""

from __future__ import annotations

import logging
from typing import Final

from bide.engine import events
from bide.policy.durations import digits

logger: Final = logging.getLogger("bide")
logger.addHandler(logging.NullHandler())  # a library that nobody asked to log stays silent


class LogListener:
    """A listener that writes one line an event; no arguments, bodies, addresses or credentials are ever in it."""

    @staticmethod
    def wants() -> bool:
        """Tell whether records of retries would be seen by anybody."""
        return logger.isEnabledFor(logging.INFO)

    def __call__(self, event: events.Event) -> None:
        match event:
            case events.RetryScheduled():
                source = f" ({event.source})" if event.source else ""
                logger.info(
                    "%s: attempt %d came to %s; next in %s s%s", *_who(event), digits(event.delay), source
                )
            case events.Recovered():
                logger.info("%s: attempt %d came to %s; %s is done", *_who(event), event.recovery)
            case events.Paced():
                logger.info(
                    "%s: attempt %d waits %s s for its pace", event.name, event.attempt, digits(event.delay)
                )
            case events.RecoveryFailed(error=None):
                logger.error("%s: attempt %d came to %s; %s is not bound", *_who(event), event.recovery)
            case events.RecoveryFailed():
                fault = type(event.error).__name__
                logger.error("%s: attempt %d came to %s; %s raised %s", *_who(event), event.recovery, fault)
            case events.GaveUp():
                logger.warning(
                    "%s: gave up after attempt %d, which came to %s: %s", *_who(event), event.reason
                )
            case events.Succeeded():
                logger.info("%s: attempt %d came to %s; done", *_who(event))
            case events.ConditionFailed():
                logger.error(
                    "%s: after attempt %d, which came to %s, a condition, delay, listener or store raised",
                    *_who(event),
                    exc_info=event.error,
                )
            case _:
                pass


def _who(event: events.Event) -> tuple[str, int, str]:
    return event.name, event.attempt, event.outcome


events.default_listeners.append(LogListener())
