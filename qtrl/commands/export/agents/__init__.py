"""What is particular to agents when they are exported."""
