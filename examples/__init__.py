"""Short studies that run on a CPU in minutes; each prints a table, which the tests hold it to."""
