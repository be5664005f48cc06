"""Asks a relay which relays its operator knows, on a connection of its own that names no queue (Spec 11 §5)."""

import trio

from node.transport.contract import Ended, FrameStream
from node.transport.dialer import By, dial
from protocol.crypto.suite import RealSuite
from protocol.entropy import Entropy
from protocol.errors import CallerError, Code, PeerError, WorldError
from protocol.keys import RelayKey
from protocol.link.initiator import InitiatorLink
from protocol.relays.parts import Inquiry
from protocol.timing import Timing
from protocol.wire.addresses import Host
from protocol.wire.commands import Info

_suite = RealSuite()


async def ask_for_list(host: Host, relay: RelayKey, entropy: Entropy, timing: Timing, by: By | None = None) -> bytes:
    """The list that a relay offers, as it came: nothing of it is believed here.

    Raises CallerError (it offers none, or lies about how long it is), WorldError (it cannot be asked).
    """
    inquiry = Inquiry()
    failures: list[PeerError | CallerError | Ended] = []
    try:
        link = InitiatorLink(_suite, entropy, timing, relay, trio.current_time())
    except PeerError:
        raise CallerError(f"The key in the address of {host.authority} is not a key. Copy the address again.") from None

    async def use(frames: FrameStream) -> None:
        try:
            await _ask(frames, link, inquiry)
        except (PeerError, CallerError, Ended) as error:
            failures.append(error)

    with trio.move_on_after(timing.dial_seconds + timing.reply_seconds) as scope:
        try:
            await dial(str(host), use, by=by)
        except WorldError as error:
            raise WorldError(f"{host.authority} cannot be asked for its list: {error}.") from None
    if scope.cancelled_caught:
        raise WorldError(f"{host.authority} did not answer in time. Try again later, or take the list from elsewhere.")
    if failures:
        raise _told(failures[0], host)
    return inquiry.encoded


async def _ask(frames: FrameStream, link: InitiatorLink, inquiry: Inquiry) -> None:
    asked: Info | None = None
    while (question := inquiry.question) is not None:
        if link.established and question != asked:
            link.queue(question)
            asked = question
        while (frame := link.transmit(trio.current_time())) is not None:
            await frames.send(frame)
        for command in link.receive(await frames.receive(), trio.current_time()):
            inquiry.take(command)


def _told(error: PeerError | CallerError | Ended, host: Host) -> CallerError | WorldError:
    if isinstance(error, CallerError):
        return error
    if error.code in {Code.NOISE, Code.SIZE}:
        return CallerError(
            f"What answers at {host.authority} does not hold the key of its address. Copy the address again, or ask "
            "its operator."
        )
    if isinstance(error, Ended):
        return WorldError(f"{host.authority} cannot be asked for its list: {error}. Is it a relay of this version?")
    return CallerError(
        f"{host.authority} did not give a list of relays, but something else ({error}). Take the list from elsewhere."
    )
