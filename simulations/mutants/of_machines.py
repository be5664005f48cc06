"""Changes of the step that both machines share, of the relay machine and of the personal machine."""

from simulations.mutants.mutant import Mutant

_CONTRACT = "protocol/machines/contract.py"
_COMMANDS = "protocol/machines/queue_commands.py"
_RELAY = "protocol/machines/relay.py"
_SUBSCRIPTIONS = "protocol/machines/subscriptions.py"
_PERSONAL = "protocol/machines/personal.py"
_SESSIONS = "protocol/delivery/sessions.py"

OF_MACHINES = (
    Mutant(
        "effects-of-a-failed-batch",
        _CONTRACT,
        "Save, then send, then tell: what a batch wanted is not performed when it could not be stored.",
        "            if len(batch) == 1:  # undoing it is undoing the transaction\n"
        "                effects += self._one(batch[0], tx, tx, now)\n"
        "            else:\n"
        "                with tx:\n"
        "                    for event in batch:\n"
        "                        effects += self._one(event, tx.savepoint(), tx, now)\n"
        "        except DiskBrokenError:\n            raise\n        except StoreError as error:\n"
        '            log.warning("a batch of %d events could not be stored: %s", len(batch), error)\n',
        "            with tx:\n"
        "                for event in batch:\n"
        "                    effects += self._one(event, tx.savepoint(), tx, now)\n"
        "        except DiskBrokenError:\n            raise\n        except StoreError as error:\n"
        "            if effects:\n                return effects\n",
    ),
    Mutant(
        "failed-batch-untold",
        _CONTRACT,
        "Nothing is left hanging: whoever asked for what could not be stored is told so, and starts anew.",
        "            return self._failed(batch, now, isinstance(error, DiskFullError))",
        "            return []",
    ),
    Mutant(
        "push-of-single-steps-only",
        _CONTRACT,
        "Every queue that a batch woke is looked at after its commit.",
        "        if woken:",
        "        if woken and len(batch) == 1:",
    ),
    Mutant(
        "failed-batch-answered-as-stored",
        _RELAY,
        "No custody before it is true: a deposit that could not be stored is refused.",
        "            match command:\n                case Ack():",
        "            match command:\n                case Deposit():\n"
        "                    from protocol.envelope.envelope import parse_envelope\n"
        "                    from protocol.wire.commands import Accepted\n"
        "                    digest = parse_envelope(command.envelope).digest\n"
        "                    effects.append(Send(event.connection, Accepted(command.request, digest, now.minute)))\n"
        "                case Ack():",
    ),
    Mutant(
        "full-disk-loses-acknowledgements",
        _RELAY,
        "What was acknowledged while the disk was full is still erased.",
        "                    self._owe(event.connection, command, now)",
        "                    pass",
    ),
    Mutant(
        "deposits-beyond-the-quota",
        _COMMANDS,
        "A queue takes no more envelopes than its quota.",
        "        if not tx.room or queue.stored >= self._quota:",
        "        if not tx.room:",
    ),
    Mutant(
        "second-claimer-wins",
        _COMMANDS,
        "The first claim decides who the sender is; any other key is refused.",
        "        if queue is None or not signed or expired or queue.sender_key not in {None, command.sender_key}:\n"
        "            step.refuse(command.request)\n            return\n        if queue.sender_key is None:",
        "        if queue is None or not signed or expired:\n"
        "            step.refuse(command.request)\n            return\n"
        "        if queue.sender_key != command.sender_key:",
    ),
    Mutant(
        "claim-not-repeatable",
        _COMMANDS,
        "A lost answer to a claim costs nothing: the same key gets the same answer again.",
        "queue.sender_key not in {None, command.sender_key}:",
        "queue.sender_key is not None:",
    ),
    Mutant(
        "anybody-owns-a-queue",
        _COMMANDS,
        "A queue is touched only by who proved its recipient key in this session.",
        "        if queue is None or step.session.recipients.get(named) != queue.recipient_key:",
        "        if queue is None:",
    ),
    Mutant(
        "deposit-unsigned",
        _COMMANDS,
        "Only the sender key of a queue may deposit there.",
        "            if key is None or not signed:",
        "            if key is None:",
    ),
    Mutant(
        "proof-unverified",
        _COMMANDS,
        "A key is proved by a signature over this session's hash, and by nothing else.",
        "        return self._suite.verify(key or self._stranger, message, signature) and key is not None",
        "        return key is not None",
    ),
    Mutant(
        "settle-erases-nothing",
        _COMMANDS,
        "A sealed invitation is erased once its handshake is committed.",
        "        step.tx.links.remove(queue.number)\n        step.reply(Done(command.request))",
        "        step.reply(Done(command.request))",
    ),
    Mutant(
        "acknowledgement-erases-nothing",
        _COMMANDS,
        "What its recipient has acknowledged is erased at the relay.",
        "        step.tx.entries.remove(subscriber.queue, command.sequence)\n",
        "",
    ),
    Mutant(
        "window-never-reopens",
        _SUBSCRIPTIONS,
        "An acknowledgement makes room for another entry of its queue.",
        "            subscriber.unacknowledged.remove(sequence)\n            self._windows",
        "            self._windows",
    ),
    Mutant(
        "connection-window-never-reopens",
        _SUBSCRIPTIONS,
        "An acknowledgement makes room for another entry of its connection.",
        "            self._windows[connection].unacknowledged -= 1\n",
        "",
    ),
    Mutant(
        "cursor-skips",
        _SUBSCRIPTIONS,
        "Every entry of a queue is pushed, each in its turn.",
        "                subscriber.cursor = entry.sequence",
        "                subscriber.cursor = entry.sequence + (len(entries) > 1)",
    ),
    Mutant(
        "ended-subscription-lives-on",
        _SUBSCRIPTIONS,
        "A queue is pushed to one subscriber: who was subscribed to it is none any more.",
        "        ended = [] if (old := self._of_queue.get(queue)) is None else self._remove(old)",
        "        ended: list[Effect] = []",
    ),
    Mutant(
        "acknowledged-before-the-handshake",
        _SESSIONS,
        "What comes before the handshake is left at the relay until it can be opened.",
        "        if held >= DELIVERY_WINDOW - 1 or sum(self.held.values()) >= MAX_HELD_BEFORE_HANDSHAKE:",
        "        if held >= 0:",
    ),
    Mutant(
        "held-envelopes-never-fetched",
        _PERSONAL,
        "What was left at the relay before the handshake is fetched once it has come.",
        "                queues.listen_again(step, self._hosts, queue.id)\n",
        "",
    ),
    Mutant(
        "volatile-state-survives-a-failed-batch",
        _PERSONAL,
        "After a batch that could not be stored, every session is opened anew.",
        "        self._hosts.start_anew(step, what.connection if isinstance(what, Closed) else None)",
        "        pass",
    ),
    Mutant(
        "delivery-never-acknowledged",
        _PERSONAL,
        "One envelope never stops a queue: whatever became of it, it is acknowledged.",
        "            self._open(step, queue.contact, envelope)\n"
        "        step.send(session.connection, Ack(entry.subscription, entry.sequence))",
        "            before = len(step.effects)\n            self._open(step, queue.contact, envelope)\n"
        "            if len(step.effects) == before:\n                return\n"
        "        step.send(session.connection, Ack(entry.subscription, entry.sequence))",
    ),
    Mutant(
        "receipts-forgotten-at-restart",
        _PERSONAL,
        "A receipt that is due is durable: a restart does not forget it.",
        "        queues.want_hosts(step, self._hosts)\n        self._upkeep(step)",
        "        queues.want_hosts(step, self._hosts)\n        from protocol.mailbox import ItemKind\n"
        "        for contact in step.tx.contacts.find():\n"
        "            step.tx.items.remove_where(contact=contact.id, kind=ItemKind.RECEIPT)\n        self._upkeep(step)",
    ),
    Mutant(
        "missing-forgotten",
        _PERSONAL,
        "What a contact reported missing is sent again once it is old enough.",
        "                self._missing.add(contact_id)",
        "                pass",
    ),
    Mutant(
        "nothing-rerouted",
        _PERSONAL,
        "What lies on a relay that is gone takes another way.",
        "        touched = outbox.reroute(step, self._hosts) | self._missing",
        "        touched = set() | self._missing",
    ),
    Mutant(
        "handshake-sent-once",
        _PERSONAL,
        "A handshake that its relay lost goes again.",
        "        outbox.repeat_handshakes(step)\n",
        "",
    ),
    Mutant(
        "retention-too-early",
        _COMMANDS,
        "A relay keeps what it took for 30 days, unless it is acknowledged before.",
        "RETENTION_SECONDS = RETENTION_DAYS * 86_400.0",
        "RETENTION_SECONDS = RETENTION_DAYS * 1.0",
    ),
    Mutant(
        "custody-without-an-entry",
        _COMMANDS,
        "Custody means stored: what a relay signed for is in its queue.",
        "            if known is None:\n                step.append(queue.number, command.envelope, counted=True)",
        "            if known is None and digest[0] > 8:\n"
        "                step.append(queue.number, command.envelope, counted=True)",
    ),
    Mutant(
        "closed-connection-still-subscribed",
        _SUBSCRIPTIONS,
        "What was pushed to a connection that is gone is pushed to the next subscriber.",
        "                del self._of_queue[subscriber.queue]\n\n    def count",
        "                pass\n\n    def count",
    ),
)  # fmt: skip
