"""Bounds of the local API, with their units."""

MAX_CONNECTIONS = 64
MAX_HEADER_BYTES = 16_384
"""Of one request's line and headers together."""
MAX_BODY_BYTES = 2_097_152
"""The longest text with every byte as a JSON escape of six, and room for the rest."""
PAGE_ROWS = 256
CHANGES_PAGE_ROWS = 64
IDLE_SECONDS = 60.0
"""A kept connection without a request is closed after this."""
REQUEST_SECONDS = 10.0
"""From a request's first byte to its last."""
OPERATION_SECONDS = 60.0
"""What waits for a relay answers by then, or `timeout`."""
WRITE_SECONDS = 30.0
"""A client that does not read is left after this."""
LINGER_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
"""An idle stream of changes has an empty line this often."""
CLIENT_SECONDS = 90.0
"""A client waits for a reply, or a heartbeat, no longer."""
