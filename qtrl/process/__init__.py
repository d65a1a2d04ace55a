"""The process that runs: threads, ranks, graceful shutdown, imports."""
