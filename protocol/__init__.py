"""What a Kassiber node decides: bytes and values in, bytes and effects out.

Nothing here waits: no socket, file, thread, clock, trio or hidden randomness. Time and entropy are handed in,
state lives behind `protocol.store`. Each module names the section of `specs/` that it implements.
"""

PROTOCOL_VERSION = 1
SUBPROTOCOL = "kassiber.1"
