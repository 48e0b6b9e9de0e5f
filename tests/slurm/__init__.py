"""Tests of what Slurm says."""
