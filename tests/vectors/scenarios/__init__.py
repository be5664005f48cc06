"""What the vectors are about, subject by subject; made from `tests.vectors.independent` alone."""
