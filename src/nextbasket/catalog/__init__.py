"""Table definitions, partitions, snapshots and commits."""
