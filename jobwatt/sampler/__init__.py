"""The process on the node: standard library and one NVML binding, nothing else."""
