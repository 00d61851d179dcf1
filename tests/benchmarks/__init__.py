"""Side-by-side measurements against peers: `make bench`. Nothing here asserts a time."""
