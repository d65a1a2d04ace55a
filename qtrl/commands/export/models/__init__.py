"""What is particular to models of tables when they are exported."""
