"""One connection without its socket: Noise, frames, keep-alive, custody receipts for what it packs (Spec 7)."""
