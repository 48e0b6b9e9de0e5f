"""What can be measured on this machine, and what stands in the way: the substance of `doctor`."""
