"""Each reads finished artifacts and writes the next; none calls another."""
