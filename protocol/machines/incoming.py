"""What one item of a contact's envelope does to the mailbox (Spec 5 §3, Spec 6 §4 to §6)."""

from protocol.conversation import timeline
from protocol.delivery import contacts, inbox, outbox, pairing, routes
from protocol.delivery.items import queue_receipt, tick
from protocol.envelope.items import Discovery, Fragment, Item, NewRoutes, Profile, Receipt, Received
from protocol.errors import PeerError
from protocol.mailbox import Contact, MessageState
from protocol.step import Step


def take(step: Step, contact: Contact, item: Item) -> bool:
    """Whether it reports missing what cannot be sent again yet."""
    match item:
        case Received():
            return outbox.take_received(step, contact, item) and outbox.send_missing(step, contact.id)
        case Fragment():
            _take_fragment(step, contact, item)
        case Receipt():
            for message_id in timeline.advance(step, contact.id, item.message_ids, MessageState.DELIVERED):
                outbox.delivered(step, contact.id, message_id)
        case NewRoutes():
            routes.learn(step, contact, item.version, item.routes, outbox.supersede_route)
            tick(step, contact.id, 1)  # whoever has nothing to say would never tell that they came
        case Profile():
            contacts.learn_name(step, contact, item.name)
            pairing.learn_features(step, contact.id, item.features)
        case Discovery():
            pairing.take(step, contact.id, item)
        case _:
            pass  # `senders` outside a handshake says nothing
    return False


def _take_fragment(step: Step, contact: Contact, item: Fragment) -> None:
    try:
        content = inbox.take_fragment(step, contact, item)
    except PeerError:
        return
    if content is not None:
        timeline.add_received(step, contact, content)
        queue_receipt(step, contact.id, content.message_id)
