"""The two durable machines: a relay and a personal node. Each is a dispatch table over the subjects below it."""
