"""The node waits and never decides: sockets, files, threads, clocks, people. Every decision is made in `protocol`."""
