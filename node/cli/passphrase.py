"""`kassiber passphrase`: changes what unlocks a profile. The data key is wrapped again; nothing is re-encrypted."""

from typing import Annotated

from cyclopts import Parameter

from node.cli.profiles import HERE, Where


def passphrase(
    *,
    key_ring: Annotated[
        bool | None, Parameter(help="Let the system's key ring unlock the profile too, or no longer.")
    ] = None,
    where: Where = HERE,
) -> None:
    """Change the passphrase, or set one where there was none. With --key-ring or --no-key-ring change only that."""
    from node.cli.secrets import new_key_ring_entry, new_passphrase
    from node.store.keys import KeyRingSlot, PassphraseSlot, Slot, read_slots, write_slots
    from node.unlock import terminal_prompt
    from protocol.errors import CallerError

    profile, data_key = where.open(), where.unlock()
    replaced = PassphraseSlot if key_ring is None else KeyRingSlot
    slots: list[Slot] = [slot for slot in read_slots(profile.keys) if not isinstance(slot, replaced)]
    if key_ring is None:
        slots.append(new_passphrase(data_key, terminal_prompt()))
    elif key_ring:
        slots.append(new_key_ring_entry(data_key))
    elif not slots:
        raise CallerError(
            f"The key ring is all that unlocks this profile. Set a passphrase first: kassiber passphrase{where.words}"
        )
    write_slots(profile.keys, slots)
    print("Changed.")
