"""What Slurm says of a job."""
