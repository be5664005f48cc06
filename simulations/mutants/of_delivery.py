"""Changes of what brings a text to its reader: outbox, inbox, routes, hosts, queues, invitations, the timeline."""

from simulations.mutants.mutant import Mutant

_OUTBOX = "protocol/delivery/outbox.py"
_INBOX = "protocol/delivery/inbox.py"
_ITEMS = "protocol/delivery/items.py"
_ROUTES = "protocol/delivery/routes.py"
_HOSTS = "protocol/delivery/hosts.py"
_TROUBLES = "protocol/delivery/troubles.py"
_HOST_SESSIONS = "protocol/delivery/sessions.py"
_QUEUES = "protocol/delivery/queues.py"
_JOINING = "protocol/delivery/joining.py"
_INVITING = "protocol/delivery/inviting.py"
_TIMELINE = "protocol/conversation/timeline.py"

OF_DELIVERY = (
    Mutant(
        "ratchet-not-saved-when-sealing",
        _OUTBOX,
        "No message key is used twice: the ratchet is saved with the envelope that it sealed.",
        "    state, body = ratchet.seal(step.suite, step.entropy, state, payload)\n"
        "    save_ratchet(step, contact.id, state)",
        "    state, body = ratchet.seal(step.suite, step.entropy, state, payload)",
    ),
    Mutant(
        "deposits-not-repeated",
        _OUTBOX,
        "What was sealed and has no custody is deposited again.",
        "        if route is None or session.asked(Ask.DEPOSIT, row.id):",
        "        if route is None or row.index > 0 or session.asked(Ask.DEPOSIT, row.id):",
    ),
    Mutant(
        "relayed-after-one-fragment",
        _OUTBOX,
        "Relayed means that every fragment was in custody.",
        "if step.tx.items.all_stored(row.contact, name)]",
        "if name]",
    ),
    Mutant(
        "delivered-by-received",
        _OUTBOX,
        "Only a receipt sets delivered: an envelope that arrived says nothing of a content.",
        "        if item.kind is ItemKind.FRAGMENT:\n            step.tx.items.update(item.id, arrived=True)",
        "        if item.kind is ItemKind.FRAGMENT and item.message_id is not None:\n"
        "            from protocol.mailbox import ChangeKind, MessageState\n"
        "            message = step.tx.messages.by_id(item.contact, item.message_id)\n"
        "            if message is not None and message.state < 3:\n"
        "                step.tx.messages.update(message.id, state=MessageState.DELIVERED)\n"
        "                step.change(ChangeKind.STATE, message.id, MessageState.DELIVERED)\n"
        "            step.tx.items.update(item.id, arrived=True)",
    ),
    Mutant(
        "missing-taken-for-arrived",
        _OUTBOX,
        "What the contact reports missing has not arrived.",
        "        if row.index in missing:",
        "        if row.index in missing and row.stored_at is None:",
    ),
    Mutant(
        "missing-never-sent-again",
        _OUTBOX,
        "What the contact reports missing is sealed anew and sent again.",
        "        elif _room(step, contact_id) > 0:\n            health.missed(step, row.route)",
        "        elif _room(step, contact_id) > 2**20:\n            health.missed(step, row.route)",
    ),
    Mutant(
        "superseded-items-lost",
        _OUTBOX,
        "The items of an envelope that was given up wait again.",
        "        step.tx.items.update(item.id, sealed=None, due=max(item.due, step.now.service))\n"
        "        if item.message_id",
        "        if item.message_id",
    ),
    Mutant(
        "floor-too-high",
        _OUTBOX,
        "An envelope that may still arrive stays above the floor, so that its loss is reported.",
        "    return Received(lowest if lowest is not None else state.send_index, total, missing[:MAX_GAPS])",
        "    return Received(state.send_index, total, missing[:MAX_GAPS])",
    ),
    Mutant(
        "total-beyond-reported-gaps",
        _OUTBOX,
        "With more gaps than fit a report, nothing beyond the last one is claimed to have come.",
        "    total = state.receive_index if len(missing) <= MAX_GAPS else missing[MAX_GAPS]",
        "    total = state.receive_index",
    ),
    Mutant(
        "stored-not-rerouted",
        _OUTBOX,
        "What has custody at a relay that is gone for long is sealed anew for another.",
        "    rows = [row for row in rows if stored_too or row.stored_at is None]",
        "    rows = [row for row in rows if row.stored_at is None]",
        survives="Nothing is lost by it: what a contact reports as missing is sealed anew as well, only later.",
    ),
    Mutant(
        "same-body-on-two-queues",
        _OUTBOX,
        "The same body never lies in two queues: for another route a content is sealed anew.",
        "        _send_elsewhere(step, row)\n    return {route.contact}",
        "        other = _alternative(step, hosts, route)\n"
        "        if other is not None and other.state is RouteState.CLAIMED:\n"
        "            body = parse_envelope(row.envelope).body\n"
        "            envelope, _ = seal_envelope(step.suite, other.key, other.send_id, body)\n"
        "            step.tx.envelopes.update(\n"
        "                row.id, route=other.id, envelope=envelope, stored_minute=None, stored_at=None\n"
        "            )\n"
        "            session = hosts.hosts[other.relay, SHARED].session\n"
        "            if session is not None:\n                deposit_again(step, session)\n"
        "    return {route.contact}",
    ),
    Mutant(
        "handshake-given-up",
        _OUTBOX,
        "A handshake that a relay has no room for goes to the next one as it is.",
        "        _send_elsewhere(step, whole)",
        "        supersede(step, whole.id)",
    ),
    Mutant(
        "missing-told-in-answers-only",
        _OUTBOX,
        "What is missing is reported even where there is nothing to answer.",
        "        tick(step, contact.id, 1)\n\n\ndef _pack",
        "        return\n\n\ndef _pack",
        survives="Somebody always writes again in these worlds, and the report rides on that or on its receipt.",
    ),
    Mutant(
        "refused-route-not-left",
        _OUTBOX,
        "What was sealed for a queue that refuses goes another way.",
        "    if code is Code.REFUSED:\n        supersede_route(step, route)\n",
        "",
    ),
    Mutant(
        "skipped-keys-not-saved",
        _INBOX,
        "An envelope that comes late still opens.",
        "    for key in opened.skipped:",
        "    for key in opened.skipped[1:]:",
    ),
    Mutant(
        "skipped-keys-not-removed",
        _INBOX,
        "A key that opened an envelope is forgotten.",
        "        step.tx.skipped.remove(contact.id, *opened.used)\n",
        "",
    ),
    Mutant(
        "ratchet-not-saved-when-opening",
        _INBOX,
        "A message key opens one envelope: the ratchet is saved with what it opened.",
        "    outbox.save_ratchet(step, contact.id, opened.ratchet)\n",
        "    if opened.ratchet.receive_number % 16:\n        outbox.save_ratchet(step, contact.id, opened.ratchet)\n",
    ),
    Mutant(
        "unreadable-stops-the-queue",
        _INBOX,
        "One envelope never stops a queue: what cannot be opened is acknowledged and dropped.",
        "            return Outcome(Fate.UNREADABLE)\n        position",
        "            raise\n        position",
    ),
    Mutant(
        "content-joined-with-a-hole",
        _INBOX,
        "A content is whole when all its fragments are there.",
        "message_id=fragment.message_id) < fragment.count:",
        "message_id=fragment.message_id) < fragment.count - 1:",
    ),
    Mutant(
        "fragments-joined-as-they-came",
        _INBOX,
        "Fragments are joined in the order of their indexes.",
        "join_fragments([row.chunk for row in sorted(rows, key=lambda row: row.index)])",
        "join_fragments([row.chunk for row in sorted(rows, key=lambda row: (len(row.chunk) < CHUNK_BYTES, row.at))])",
    ),
    Mutant(
        "unfinished-contents-lost",
        _INBOX,
        "A content that became whole leaves the parts of others alone.",
        "    step.tx.partials.remove_where(contact=contact.id, message_id=fragment.message_id)",
        "    step.tx.partials.remove_where(contact=contact.id)",
    ),
    Mutant(
        "no-receipts",
        _ITEMS,
        "Every content is receipted.",
        "    _add(step, contact, ItemKind.RECEIPT, math.inf, message_id)\n    tick(step, contact, TICKS)",
        "    if step.now.minute % 2 == 0:\n        _add(step, contact, ItemKind.RECEIPT, math.inf, message_id)\n"
        "    tick(step, contact, TICKS)",
    ),
    Mutant(
        "receipts-at-once",
        _ITEMS,
        "A receipt leaves at a tick or beside something else, and never at once.",
        "    _add(step, contact, ItemKind.RECEIPT, math.inf, message_id)\n    tick(step, contact, TICKS)",
        "    _add(step, contact, ItemKind.RECEIPT, step.now.service, message_id)\n    tick(step, contact, TICKS)",
    ),
    Mutant(
        "ticks-drawn-anew",
        _ITEMS,
        "A text that comes or goes does not move a tick.",
        "        step.tx.items.update(drawn[0].id, index=least)",
        "        step.tx.items.update(drawn[0].id, index=least, due=_next_tick(step))",
    ),
    Mutant(
        "superseded-receipts-forgotten",
        _OUTBOX,
        "Receipts of an envelope that was given up have a tick again.",
        "        tick(step, row.contact, 1)",
        "        pass",
    ),
    Mutant(
        "routes-version-stands-still",
        _ITEMS,
        "A new list of routes has a higher version than the one before.",
        "own_routes_version=contact.own_routes_version + 1)",
        "own_routes_version=contact.own_routes_version)",
    ),
    Mutant(
        "older-routes-win",
        _ROUTES,
        "The highest version of a contact's routes holds, in whatever order they come.",
        "    if version <= contact.peer_routes_version:\n        return\n",
        "",
    ),
    Mutant(
        "left-routes-take-their-envelopes-along",
        _ROUTES,
        "What lay on a route that is no longer announced is sealed anew.",
        "        supersede_route(step, row)\n        step.tx.routes.remove(row.id)",
        "        step.tx.routes.remove(row.id)",
    ),
    Mutant(
        "full-queue-hammered",
        _ROUTES,
        "A route that refused rests for a while.",
        "        retry_at=step.now.service + pause,",
        "        retry_at=step.now.service,",
    ),
    Mutant(
        "back-off-without-end",
        _TROUBLES,
        "A host is dialled again after five minutes at most.",
        "    pause: float = min(step.timing.redial_first_seconds * 2**failures, step.timing.redial_most_seconds)",
        "    pause: float = step.timing.redial_first_seconds * 8**failures",
    ),
    Mutant(
        "trouble-not-remembered",
        _TROUBLES,
        "Since when a host cannot be reached is known, over restarts too.",
        "        step.tx.troubles.save(HostTrouble(relay, step.now.service, group))\n",
        "",
    ),
    Mutant(
        "answers-free-no-room",
        _HOST_SESSIONS,
        "An answered deposit makes room for another.",
        "            self.in_flight -= pending.ask is Ask.DEPOSIT\n",
        "",
    ),
    Mutant(
        "closed-hosts-not-dialled",
        _HOSTS,
        "A connection that ended is dialled again.",
        "        host.session = None\n        self._back_off(step, host)",
        "        host.session = None\n        host.dialing = True\n        self._back_off(step, host)",
    ),
    Mutant(
        "lost-queues-not-made-again",
        _QUEUES,
        "A queue that its relay lost is made again.",
        "        _create(step, session, replace(queue, state=QueueState.CREATING))\n\n\ndef create_again",
        "        pass\n\n\ndef create_again",
        survives="The queue is asked for in every new session, and in these worlds sessions do not last.",
    ),
    Mutant(
        "new-queues-not-listened-to",
        _QUEUES,
        "A queue that was just made is listened to.",
        "    _use(step, session, queue)\n    return queue",
        "    if queue.contact is None:\n        _use(step, session, queue)\n    return queue",
    ),
    Mutant(
        "prekeys-kept",
        _INVITING,
        "An invitation's private keys go with the transaction that accepts its handshake.",
        '    step.tx.invitations.update(invitation.id, state=state, secret=None, dh=None, kem=None, encoded=b"")',
        "    step.tx.invitations.update(invitation.id, state=state)",
    ),
    Mutant(
        "invitations-not-settled",
        _INVITING,
        "Once the handshake is committed, the relay is told to forget the sealed invitation.",
        "            settle_now(step, hosts, mine)\n",
        "            step.tx.queues.update(mine.id, sealed=None)\n",
    ),
    Mutant(
        "parents-not-waited-for",
        _TIMELINE,
        "Nothing is shown before what its author had seen.",
        "    return all(parent is not None and parent.change is not None for parent in found)",
        "    return all(parent is None or parent.change is not None for parent in found)",
    ),
    Mutant(
        "heights-not-raised",
        _TIMELINE,
        "When a parent comes late, the heights of all that follows are computed anew.",
        "            if parent in _parents(row) and heights[row.message_id] <= heights[parent]:",
        "            if parent in _parents(row) and heights[row.message_id] < heights[parent]:",
    ),
    Mutant(
        "height-of-the-last-parent",
        _TIMELINE,
        "A message stands above all its parents.",
        "    height = 1 + max(heights)",
        "    height = 1 + heights[-1]",
    ),
    Mutant(
        "own-last-is-no-parent",
        _TIMELINE,
        "An author's messages are shown in the order in which they were written.",
        "    parents = [contact.last_own] if contact.last_own is not None else []",
        "    parents: list[MessageId] = []",
    ),
    Mutant(
        "children-wait-for-ever",
        _TIMELINE,
        "What waited for a message is shown when it has come.",
        "        _show(step, message, missing=False)\n        _show_children(step, message)\n    elif",
        "        _show(step, message, missing=False)\n    elif",
    ),
    Mutant(
        "unread-not-counted",
        _TIMELINE,
        "What is unread is counted.",
        "    unread = contact.unread + (not message.mine)",
        "    unread = contact.unread + (not message.mine and not missing)",
    ),
    Mutant(
        "items-forgotten-when-sealed",
        _OUTBOX,
        "What was sealed stays in the outbox until it is known to have arrived.",
        "            step.tx.items.update(item.id, sealed=row.id)",
        "            step.tx.items.update(item.id, sealed=row.id, arrived=True)",
    ),
    Mutant(
        "failed-dials-not-repeated",
        _HOSTS,
        "A host that could not be reached is dialled again.",
        "        if host is not None:\n            host.dialing = False\n",
        "        if host is not None:\n",
    ),
    Mutant(
        "identity-shown-to-relays",
        _JOINING,
        "A relay never sees an identity: what it is shown is made for one queue.",
        "    return step.suite.signing_key(step.entropy.secret(32))",
        "    return own_profile(step).signing",
        "real",
    ),
)  # fmt: skip
