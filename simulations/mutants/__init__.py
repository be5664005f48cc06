"""How sensitive the worlds are: changes of the real code that break a promise, and how soon a world notices each.

`python -m simulations.mutants` puts one change at a time into a copy of the code and carries out worlds from seed 0
until one of them breaks. What lies below the store (a lost fsync, a torn write) is not mutated here.
"""
