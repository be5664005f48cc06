"""What a relay signs about itself: the key that onions are sealed to, and for how long (Spec 12 §4)."""

from protocol.crypto.labels import SIGN_DESCRIPTOR
from protocol.crypto.suite import Suite
from protocol.errors import Code, PeerError
from protocol.keys import DhPublic, Minute, RelayKey, SigningKey
from protocol.wire.commands import Descriptor


def descriptor_message(epoch: int, key: DhPublic, until: Minute) -> bytes:
    """Signed by the relay key: label ‖ epoch u8 ‖ onion key 32 ‖ until u32."""
    return SIGN_DESCRIPTOR + bytes((epoch,)) + key + until.to_bytes(4, "big")


def sign_descriptor(suite: Suite, signing: SigningKey, epoch: int, key: DhPublic, until: Minute) -> Descriptor:
    """To be given to anybody."""
    return Descriptor(epoch, key, until, suite.sign(signing, descriptor_message(epoch, key, until)))


def is_signed(suite: Suite, relay: RelayKey, descriptor: Descriptor) -> bool:
    """Whether by this relay."""
    message = descriptor_message(descriptor.epoch, descriptor.key, descriptor.until)
    return suite.verify(relay, message, descriptor.signature)


def check_descriptor(suite: Suite, relay: RelayKey, descriptor: Descriptor, minute: Minute) -> None:
    """Raises PeerError: FORGED (not signed by this relay), EXPIRED (it does not hold any more at `minute`)."""
    if not is_signed(suite, relay, descriptor):
        raise PeerError(Code.FORGED, "a descriptor that its relay has not signed")
    if descriptor.until < minute:
        raise PeerError(Code.EXPIRED, "a descriptor that is over")
