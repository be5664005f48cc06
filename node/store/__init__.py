"""What is durable: databases, their migrations, and the keys that they are encrypted under; one file a subject."""
