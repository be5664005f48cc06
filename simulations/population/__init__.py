"""A million people's traffic, vectorised: what leaves each link when, under each traffic policy.

The rules are those of the real code (Spec 6, Spec 7), without contents, keys or faults: everybody stays connected and
nothing is lost. People are simulated in communities of a few thousand, whose arrays fit a processor's cache. What it
says is compared with the real machines at 1,000 users; only then does it speak for more.
"""
