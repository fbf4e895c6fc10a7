"""How a client's own objects are read as outcomes: `bide.readers.register(module, class_name, reader)`."""

from bide.engine.readers import Reader, outcome_of_error, outcome_of_value, register

__all__ = ["Reader", "outcome_of_error", "outcome_of_value", "register"]
