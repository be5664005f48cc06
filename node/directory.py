"""Asks a relay's directory one thing, on a connection of its own that names no queue (Spec 13 §4)."""

import trio

from node.transport.contract import Ended, FrameStream
from node.transport.dialer import By, dial
from protocol.crypto.suite import RealSuite
from protocol.entropy import Entropy
from protocol.errors import CallerError, Code, PeerError, WorldError
from protocol.keys import RelayKey
from protocol.link.initiator import InitiatorLink
from protocol.timing import Timing
from protocol.wire.addresses import Host
from protocol.wire.commands import Done, Kept, Lookup, Publish, Refused

_suite = RealSuite()


async def ask_directory(
    host: Host, relay: RelayKey, command: Publish | Lookup, entropy: Entropy, timing: Timing, by: By | None = None
) -> Done | Kept | Refused:
    """The relay's answer; nothing of a card is believed here. Raises CallerError (not that relay), WorldError."""
    try:
        link = InitiatorLink(_suite, entropy, timing, relay, trio.current_time())
    except PeerError:
        raise CallerError(f"The key in the address of {host.authority} is not a key. Copy the address again.") from None
    answers: list[Done | Kept | Refused] = []
    failures: list[PeerError | Ended] = []

    async def use(frames: FrameStream) -> None:
        try:
            answers.append(await _ask(frames, link, command))
        except (PeerError, Ended) as error:
            failures.append(error)

    with trio.move_on_after(timing.dial_seconds + timing.reply_seconds):
        try:
            await dial(str(host), use, by=by)
        except WorldError as error:
            raise WorldError(f"{host.authority} cannot be asked for cards: {error}.") from None
    if answers:
        return answers[0]
    if failures and failures[0].code in {Code.NOISE, Code.SIZE}:
        raise CallerError(
            f"What answers at {host.authority} does not hold the key of its address. Copy the address again."
        )
    why = f"did not answer ({failures[0]}). Is it a relay of this version?" if failures else "did not answer in time."
    raise WorldError(f"{host.authority} {why}")


async def _ask(frames: FrameStream, link: InitiatorLink, command: Publish | Lookup) -> Done | Kept | Refused:
    asked = False
    while True:
        if link.established and not asked:
            link.queue(command)
            asked = True
        while (frame := link.transmit(trio.current_time())) is not None:
            await frames.send(frame)
        for reply in link.receive(await frames.receive(), trio.current_time()):
            wanted = Done if isinstance(command, Publish) else Kept
            if not isinstance(reply, wanted | Refused) or reply.request != command.request:
                raise PeerError(Code.MALFORMED, "an answer to something else")
            return reply
