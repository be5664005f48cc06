"""A node in a thread of this process, where none runs otherwise: the command talks to it as it would to any."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio
from msgspec.structs import replace

from node.cli.serving import prepare_process, serve
from node.last_run import check
from node.profile import Profile, locked
from node.settings import Settings, check_hidden, read_settings
from node.store.keys import DataKey
from protocol.wire.commands import Preset

log = logging.getLogger(__name__)


@contextmanager
def momentary_node(profile: Profile, open_key: Callable[[], DataKey]) -> Iterator[None]:
    """Answers requests while the block runs. Raises ProfileInUseError, what `open_key` raises, what a start raises."""
    prepare_process(logging.ERROR)
    settings = read_settings(profile.settings)
    check_hidden(settings)
    check(profile.last_run, settings)
    if settings.traffic is Preset.BATCHED:
        settings = replace(settings, traffic=Preset.DIRECT)  # it would be gone before its ticks (Spec 10 §8)
    with locked(profile):
        node = _Thread(profile, open_key(), settings)
        node.start()
        try:
            yield
        finally:
            node.stop()


class _Thread:
    """Trio in a thread of its own; what ends it early is raised where it is stopped."""

    def __init__(self, profile: Profile, data_key: DataKey, settings: Settings) -> None:
        self._arguments = (profile, data_key, settings)
        self._thread = threading.Thread(target=self._run, name="node")
        self._started = threading.Event()
        self._cancel: trio.CancelScope | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._error: BaseException | None = None

    def start(self) -> None:
        """Returns once requests are answered. Raises what kept the node from starting."""
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            self.stop()

    def stop(self) -> None:
        """Ends the node and waits for it. Raises what ended it before, if anything did."""
        if self._token is not None and self._cancel is not None:
            try:
                self._token.run_sync_soon(self._cancel.cancel)
            except trio.RunFinishedError:
                pass
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            trio.run(self._serve)
        except BaseException as error:  # containment: a thread's error goes to whoever started it
            log.debug("the node ended early", exc_info=error)
            self._error = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with trio.CancelScope() as self._cancel:
            await serve(*self._arguments, self._started.set, momentary=True)
