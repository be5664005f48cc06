"""The attackers of `simulations.measures` on captures of real traffic, beside the simulator with the same texts.

Whole nodes and relays, real crypto, databases in files, TCP over loopback, an hour passed in minutes: durations and
ticks of `protocol.timing` are divided by one factor. `python -m simulations.captures` writes
`simulations/results/captures.md`, and ends with 1 where a capture lies outside of what the simulator says.
"""
