"""A list as a relay hands it out: in parts of one size, asked for one after another (Spec 11 §5)."""

from protocol.errors import CallerError, Code, PeerError
from protocol.keys import Request
from protocol.limits import MAX_RELAY_LIST_BYTES, RELAY_LIST_PART_BYTES
from protocol.wire.commands import Described, Info, Refused

_MOST_PARTS = -(-MAX_RELAY_LIST_BYTES // RELAY_LIST_PART_BYTES)


def cut_part(encoded: bytes, part: int) -> tuple[int, bytes]:
    """How many parts a list has, and one of them: 3,900 bytes, but for the last; nothing past it."""
    begin = part * RELAY_LIST_PART_BYTES
    return -(-len(encoded) // RELAY_LIST_PART_BYTES), encoded[begin : begin + RELAY_LIST_PART_BYTES]


class Inquiry:
    """Asks one relay for its list: send `question`, hand the reply to `take`, until there is no question left."""

    def __init__(self) -> None:
        self._parts: int | None = None
        self._taken: list[bytes] = []

    @property
    def question(self) -> Info | None:
        """What to ask now; None: all is there."""
        number = len(self._taken)
        return Info(Request(number), number) if self._parts is None or number < self._parts else None

    def take(self, reply: object) -> None:
        """Raises PeerError: TOO_LARGE (more parts than a list has), MALFORMED (no answer to the question);
        CallerError: this relay offers no list."""
        question = self.question
        if question is None:
            raise PeerError(Code.MALFORMED, "an answer to nothing")
        if isinstance(reply, Refused):
            raise PeerError(reply.code, "the relay does not say which relays it knows")
        if not isinstance(reply, Described) or reply.request != question.request:
            raise PeerError(Code.MALFORMED, "an answer to nothing")
        if reply.parts == 0:
            raise CallerError("This relay offers no list of relays. Ask its operator, or whoever told you of it.")
        if reply.parts > _MOST_PARTS:
            raise PeerError(Code.TOO_LARGE, f"a list of relays has at most {MAX_RELAY_LIST_BYTES:,} bytes")
        last = question.part == reply.parts - 1
        if self._parts not in (None, reply.parts) or not (last or len(reply.chunk) == RELAY_LIST_PART_BYTES):
            raise PeerError(Code.MALFORMED, "the parts of the list do not fit together")
        self._parts = reply.parts
        self._taken.append(reply.chunk)

    @property
    def encoded(self) -> bytes:
        """The list, once it is all there; not looked into."""
        assert self.question is None
        return b"".join(self._taken)
