"""Logs of a relay: what happened and when, never to whom (Spec 1 §5).

No address, id or key is ever an argument of a log call. What an exception says may quote one, so only its kind and
where it was raised are written.
"""

import logging
import sys
import time
import traceback
from types import TracebackType
from typing import TypeAlias

import structlog

_ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class _Formatter(logging.Formatter):
    """One line, and for an exception its frames and its kind."""

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - logging's own name
        kind, _, trace = ei
        frames = "".join(traceback.format_tb(trace)) if trace is not None else ""
        return f"{frames}{kind.__name__ if kind else ''}"


def configure_logs(level: int = logging.INFO) -> None:
    """To standard error: this project's own through structlog, the libraries' warnings through logging."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%SZ", utc=True),
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    formatter = _Formatter("timestamp='%(asctime)s' level='%(levelname)s' event='%(message)s'", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)
