"""The local API: HTTP/1.1 and JSON under /v1 on a Unix socket of this user's, one file a resource (Spec 6 §7)."""
