"""What lies between a ratchet and a relay: envelopes of one size, padded payloads, items, fragments (Spec 5)."""
