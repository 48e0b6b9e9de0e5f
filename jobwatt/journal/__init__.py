"""The journal: append-only files, one per job, step, restart and node. The truth of all figures."""
