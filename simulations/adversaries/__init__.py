"""What observers can tell: pure functions from what was seen (`simulations.observation`) to bits and probabilities.

Ground truth enters only where an attack is scored. The same functions are run on published anchors
(`simulations.anchors`), so that what they say of Kassiber's traffic can be believed.
"""
