"""Each reproduction at a small size: its law, and what it refuses."""
