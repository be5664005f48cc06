"""Every label: product, version, use. What one label derives or signs means nothing under another (Spec 3 §2)."""

FINGERPRINT = b"kassiber 1 fingerprint"
SAFETY_NUMBER = b"kassiber 1 safety number"
RECEIVE_ID = b"kassiber 1 receive id"

LINK_ID = b"kassiber 1 link id"
LINK_KEY = b"kassiber 1 link key"
LINK_CLAIM = b"kassiber 1 link claim"
LINK_PSK = b"kassiber 1 link psk"

HANDSHAKE_IDENTITY = b"kassiber 1 handshake identity"
TRANSCRIPT = b"kassiber 1 transcript"
HANDSHAKE = b"kassiber 1 handshake"
RATCHET_ROOT = b"kassiber 1 ratchet root"

SIGN_ENVELOPE = b"kassiber 1 sign envelope"
SIGN_CREATE = b"kassiber 1 sign create"
SIGN_CLAIM = b"kassiber 1 sign claim"
SIGN_PROVE = b"kassiber 1 sign prove"
SIGN_CUSTODY = b"kassiber 1 sign custody"
SIGN_RELAY_LIST = b"kassiber 1 sign relay list"
SIGN_CARD = b"kassiber 1 sign card"

ONION = b"kassiber 1 onion"
SIGN_DESCRIPTOR = b"kassiber 1 sign descriptor"

DISCOVERY_TAG = b"kassiber 1 discovery tag"
LAN_HINT = b"kassiber 1 lan hint"
LAN_PSK = b"kassiber 1 lan"
VISIBLE_PSK = b"kassiber 1 visible"
VISIBLE_COMMITMENT = b"kassiber 1 visible commitment"
VISIBLE_CODE = b"kassiber 1 visible code"

LOOP_SENDER = b"kassiber 1 loop sender"

DATABASE = b"kassiber 1 database"
RELAY_DATABASE = b"kassiber 1 relay database"
EMBEDDED_RELAY_KEY = b"kassiber 1 embedded relay key"
KEY_SLOT = b"kassiber 1 key slot"
