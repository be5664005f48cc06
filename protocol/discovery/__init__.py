"""Finding relays: signed lists of them, and which of them to use (Spec 9)."""
