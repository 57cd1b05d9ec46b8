"""What do the measurements say? Knee, SLO, targets, sizes: pure functions of a sweep."""
