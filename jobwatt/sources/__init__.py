"""Power sources, one file each; `ladder.SOURCES` lists them, best first."""
