"""When a link sends, and how much at most (Spec 10): policies, and the shaper that each direction of a link obeys."""
