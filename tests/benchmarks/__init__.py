"""Measures what the project promises of its speed: `python -m tests.benchmarks [SECTION …]` prints one table.

Figures name the shape of their load. They mean something on an idle machine with two cores or more; the relay is pinned
to one core and its load to another.
"""
