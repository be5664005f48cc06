"""Whole nodes in a virtual world: runtime, connections and store on a deterministic trio, over virtual streams.

The engine's worlds leave the node's shell out. Here it is in, under the same scripts, and both must give one delivery
log (`simulations.log`). `loopback` carries out the plainer scripts over real sockets, in real time.
"""
