"""What wires and relays hold: frames of four sizes, envelopes of one, and nothing of what was said or who said it.

With toy crypto only sizes are looked at: a toy hides nothing.
"""

from simulations.checkers import Violation
from simulations.network import End
from simulations.world import World, text_of

FRAME_SIZES = frozenset((4_096, 8_192, 16_384, 32_768))
ENVELOPE_BYTES = 3_929
"""As the specs have them (2 §4, 5 §2): what the code has is what is to be checked."""
_TEXT_BYTES = 24
"""Of a text that are searched for: enough to be nobody else's."""


class Listener:
    """Keeps every frame that crosses a wire, for as long as a world lasts."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._heard: list[bytes] = []
        world.network.observer = self.hear

    def hear(self, end: End, frame: bytes) -> None:
        if len(frame) not in FRAME_SIZES:
            raise Violation("secrecy", f"{end.host.name} sent a frame of {len(frame)} bytes")
        if self._world.script.real_crypto:
            self._heard.append(frame)

    def check(self) -> None:
        """At the end. Raises Violation."""
        world = self._world
        for relay in world.relays:
            sizes = relay.disk.connection.execute(
                "SELECT DISTINCT length(body) FROM entries WHERE counted = 1"
            ).fetchall()
            if [size for (size,) in sizes if size != ENVELOPE_BYTES]:
                raise Violation("secrecy", f"{relay.name} stores envelopes of other sizes: {sizes}")
        if not world.script.real_crypto:
            return
        secrets = self._secrets()
        everything = b"".join(self._heard)
        for place, held in [("the wires", everything)] + [(r.name, r.disk.contents()) for r in world.relays]:
            for what, secret in secrets.items():
                if secret in held:
                    raise Violation("secrecy", f"{place} held {what}")

    def _secrets(self) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for line in self._world.accepted.values():
            found[f"the text of message {line.number}"] = text_of(line).encode()[:_TEXT_BYTES]
        for person in self._world.people:
            found[f"the name {person.name}"] = person.name.encode()
            with person.disk.look() as tx:
                profile = tx.profile.get(1)
            assert profile is not None
            found[f"{person.name}'s identity"] = profile.identity[:32]
            found[f"{person.name}'s other identity key"] = profile.identity[32:]
        return found
