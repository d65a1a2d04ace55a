"""Process-wide concerns: threads, ranks, graceful shutdown, OpenMP, imports, process identity."""
