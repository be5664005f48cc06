"""A second implementation of what `specs/` say, for the vectors: slow, plain, and without a line of `protocol`."""
