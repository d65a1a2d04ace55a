"""Analysis of finished runs, which `runs` reads, `statistics` compares, `drawing` draws and `page` reports."""
