"""Histories: summaries, changes, their page, and the search for a commit."""
