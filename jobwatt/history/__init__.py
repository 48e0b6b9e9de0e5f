"""Journals -> steps -> jobs -> days: every past job, with an index that can be deleted."""
