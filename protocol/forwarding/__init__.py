"""What travels by an entry relay: onions, the replies to them, and the pool in which an entry mixes them (Spec 12)."""
