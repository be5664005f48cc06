"""No step fails for a reason of our own: what the core contains and logs as a mistake is one (Spec 7 §5).

A contained mistake costs one connection and is repaired by the next, so nothing else would show it.
"""

import logging
from types import TracebackType
from typing import Self

from simulations.checkers import Violation

_log = logging.getLogger("protocol.machines.contract")


class Containment(logging.Handler):
    """Hears what the core logs while it is entered, in place of standard error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._first = ""

    def __enter__(self) -> Self:
        _log.addHandler(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        _log.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if not self._first:
            error = record.exc_info[1] if record.exc_info else None
            self._first = f"{record.getMessage()}: {type(error).__name__}: {error}"

    def check(self) -> None:
        """At the end. Raises Violation."""
        if self._first:
            raise Violation("containment", self._first)
