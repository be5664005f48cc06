"""Finding contacts on a local network without telling others who is there (Spec 9). Volatile; without sockets."""
