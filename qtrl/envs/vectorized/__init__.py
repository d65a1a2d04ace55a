"""Several environments at a time: episodes that go on from a checkpoint, worker threads and processes."""
