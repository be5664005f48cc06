"""What people say to each other, and the order in which both ends show it (Spec 6 §6)."""
