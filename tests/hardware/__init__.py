"""Fake hardware with exactly known power, below the language level."""
