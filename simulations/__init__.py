"""The real machines in a virtual world: no thread, socket or file, and a clock that waits for nobody."""
