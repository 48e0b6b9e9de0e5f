"""One file per command; `jobwatt.cli` registers them and imports a body when it is called."""
