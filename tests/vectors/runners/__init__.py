"""What each kind of vector has `protocol` do. A runner gives what the file expects, or raises."""
