"""Published figures, found again by the functions that are applied to Kassiber's traffic.

Each module runs one family of anchors: a small world in which the figure is known, simulated with at least ten seeds
and judged by `simulations.adversaries`. `python -m simulations.anchors` prints the page of results, validation.md.
"""
