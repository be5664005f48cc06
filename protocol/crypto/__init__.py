"""Which primitives, under which labels (Spec 3 §2). Nothing here is home-made: libsodium and OpenSSL compute it."""
