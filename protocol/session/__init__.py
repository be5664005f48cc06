"""From an invitation to a session: identities, links, handshake, ratchet (Specs 3 and 4)."""
