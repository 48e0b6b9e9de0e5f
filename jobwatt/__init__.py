"""jobwatt: what a Slurm job used and wasted, in joules."""

__version__ = "0.1.0"
