"""Other tools' files -> rows and accounts of the history. Pure parsers, one file per tool."""
