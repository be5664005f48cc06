"""Signed lists of relays, and which of them to use (Spec 11)."""
