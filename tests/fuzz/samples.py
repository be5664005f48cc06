"""One of each command, every field filled with what is valid."""

from protocol.errors import Code
from protocol.keys import (
    ClaimKey,
    LinkId,
    Minute,
    ReceiveId,
    RecipientKey,
    Request,
    SenderKey,
    SendId,
    Sequence,
    Signature,
    Subscription,
)
from protocol.limits import ENVELOPE_BYTES, SEALED_INVITATION_BYTES
from protocol.wire.commands import (
    Ack,
    Claim,
    Claimed,
    Create,
    Custody,
    Delivery,
    Deposit,
    Described,
    Done,
    Drop,
    Ended,
    Info,
    Link,
    Marker,
    MarkerKind,
    OnWireToNode,
    OnWireToRelay,
    Preset,
    Prove,
    Refused,
    Role,
    Settle,
    Shape,
    Stored,
    Subscribe,
    Subscribed,
)

_SIXTEEN, _KEY, _SIGNATURE = bytes(range(16)), bytes(range(32)), Signature(bytes(range(64)))
_ONE, _SUBSCRIPTION, _MINUTE = Request(1), Subscription(70_000), Minute(29_000_000)
_SEALED, _ENVELOPE = bytes(SEALED_INVITATION_BYTES), bytes(ENVELOPE_BYTES)

TO_RELAY: list[OnWireToRelay] = [
    Create(_ONE, RecipientKey(_KEY), SendId(_SIXTEEN), ClaimKey(_KEY), None, _SIGNATURE),
    Claim(Request(2), _SIXTEEN, SenderKey(_KEY), _SIGNATURE),
    Settle(Request(300), ReceiveId(_SIXTEEN)),
    Prove(_ONE, _SIXTEEN, Role.SENDER, _SIGNATURE),
    Subscribe(_ONE, _SUBSCRIPTION, ReceiveId(_SIXTEEN)),
    Deposit(_ONE, _ENVELOPE),
    Ack(_SUBSCRIPTION, Sequence(2**40)),
    Drop(_ONE, ReceiveId(_SIXTEEN)),
    Info(_ONE, 3),
    Shape(Preset.BATCHED),
    Create(
        _ONE,
        RecipientKey(_KEY),
        SendId(_SIXTEEN),
        ClaimKey(_KEY),
        Link(LinkId(_SIXTEEN), 10_080, _SEALED),
        _SIGNATURE,
    ),
]

TO_NODE: list[OnWireToNode] = [
    Done(_ONE),
    Claimed(_ONE, None),
    Claimed(_ONE, _SEALED),
    Subscribed(_ONE, None),
    Stored(_ONE),
    Refused(_ONE, Code.FULL),
    Custody(_MINUTE, 30, _SIGNATURE),
    Delivery(_SUBSCRIPTION, Sequence(1), _ENVELOPE),
    Marker(_SUBSCRIPTION, Sequence(1), MarkerKind.CLAIMED, _MINUTE, SenderKey(_KEY)),
    Marker(_SUBSCRIPTION, Sequence(1), MarkerKind.FULL, _MINUTE, None),
    Ended(_SUBSCRIPTION),
    Described(_ONE, 2, b"list"),
]
