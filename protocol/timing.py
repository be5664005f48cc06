"""Every duration that a node or relay waits, in one frozen value (Spec 6 §8). Settings may override each field."""

from msgspec import Struct


class Timing(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Seconds. Defaults are what the specs name; journeys scale them and print that they do."""

    pace: float = 1.0
    """How many times as often the ticks of presets come as Spec 10 §2 has them: another than 1 is for measuring, where
    an hour is to pass in minutes and both ends of a link agree on it."""
    look_seconds: float = 1.0
    """How often a node looks at its connections, at least: for keep-alives, silence, writes that stall."""
    handshake_seconds: float = 10.0
    """A connection without a Noise session after this is closed."""
    keep_alive_seconds: float = 300.0
    """An idle link sends an empty frame about this often; silence for 2.5 times as long closes it."""
    write_seconds: float = 60.0
    """A peer that does not take a frame for this long is hung up on."""
    dial_seconds: float = 10.0
    direct_dial_seconds: float = 3.0
    """A direct route gets one dial of this length, then the relay is used."""
    reply_seconds: float = 20.0
    """A relay that leaves a command unanswered for this long is hung up on."""
    loop_seconds: float = 1_800.0
    """A loop that has not come back for so long is lost (Spec 10 §9); its tick alone may take a quarter of that."""
    loop_pause_seconds: float = 600.0
    """Between two loops by one relay: each takes a slot on its way back, from what contacts write."""
    loop_look_seconds: float = 60.0
    """How often it is looked whether a link wants a loop, if nothing happens before."""
    travel_seconds: float = 0.0
    """What a command and its answer may take longer because links make them wait: the preset's (Spec 10 §2)."""
    forward_seconds: float = 20.0
    """What a claim and its answer, or a report, may take longer by way of an entry relay, which mixes (Spec 12 §6)."""
    mix_seconds: float = 1.0
    """How often an entry relay sends a batch of what it mixes."""
    redial_first_seconds: float = 1.0
    redial_most_seconds: float = 300.0
    """Back-off between dials of one host: doubles from first to most, ± 50 %."""
    isolation_spread_seconds: float = 60.0
    """Sessions that are kept apart are dialled at random times within this, so that none tells of another."""
    unreachable_seconds: float = 60.0
    """A route whose host cannot be reached for this long is passed over for new envelopes."""
    reroute_seconds: float = 600.0
    """Everything undelivered on a host unreachable for this long is sealed anew for the next route."""
    gap_seconds: float = 10.0
    """An envelope that the peer reports missing this long after it was stored is sent again."""
    full_first_seconds: float = 60.0
    full_most_seconds: float = 21_600.0
    """Back-off after `full` or `unavailable`."""
    receipt_mean_seconds: float | None = None
    """Mean time between a contact's ticks, at which automatic envelopes leave (Spec 6 §5). None: the preset's."""
    receipt_gap_seconds: float | None = None
    """Ticks do not end, and those of all contacts together are so far apart on average, at least (Spec 10 §6). None:
    they end with a conversation."""
    missing_parent_seconds: float = 60.0
    """A message whose parent is unknown is shown after this, marked."""
    renew_days: float = 23.0
    """Days after custody at which what is still undelivered is sealed anew: seven before retention ends."""
    retire_days: float = 7.0
    """Days for which a queue that is no longer announced is still listened to, at least."""
    retire_most_days: float = 90.0
    """Days for which it is listened to where the contact has not confirmed the new ones."""
    closed_seconds: float = 86_400.0
    """A contact whose every queue refused, three times or more over this long, has closed the conversation."""
    housekeeping_seconds: float = 3_600.0
    """How often a node looks for what is old: queues to drop, custody to renew, handshakes that nobody answered."""
    routes_again_seconds: float = 86_400.0
    """Routes that the contact is not known to have are announced again so long after a relay took them."""
    store_retry_seconds: float = 1.0
    """After a batch that could not be stored, what must still be erased is tried again this much later."""
    pair_days: float = 7.0
    """Days after which the secret is replaced by which a contact recognises this node nearby (Spec 9 §1)."""
    announcement_least_seconds: float = 600.0
    announcement_most_seconds: float = 1_200.0
    """An announcement on a local network lives this long, at random between the two (Spec 9 §3)."""
    announcement_gap_least_seconds: float = 5.0
    announcement_gap_most_seconds: float = 60.0
    """Between two announcements of one address, at random, it has none."""
    lan_silence_least_seconds: float = 5.0
    lan_silence_most_seconds: float = 10.0
    """Who shows no hint that is known is left without a byte, and hung up on after this, at random (Spec 9 §5)."""
    lan_dial_most_seconds: float = 30.0
    """A contact that is seen is dialled after a random part of this (Spec 9 §4)."""
    visible_seconds: float = 300.0
    """For so long, at most, somebody is visible to strangers on a local network (Spec 9 §6)."""
    visible_pause_seconds: float = 60.0
    """At least this long lies between two attempts to meet somebody new there."""
    visible_call_seconds: float = 10.0
    """A call has its code after this, or is over."""
    visible_answer_seconds: float = 60.0
    """Each further step of a call takes no longer: people compare codes, nodes make and accept an invitation."""
    list_renewal_seconds: float = 86_400.0
    """A relay that offered a list of relays is asked for the next one about this often, ± 50 % (Spec 11 §5)."""
    card_renewal_seconds: float = 3_600.0
    """A node looks about this often, ± 50 %, whether its directory cards need other invitations (Spec 13 §4)."""
    forget_days: float = 35.0
    """Days for which skipped keys, digests and unacknowledged automatic items are kept."""
