"""A real two-node Slurm on one machine: the scripts up, down and env; cluster.py calls them."""
