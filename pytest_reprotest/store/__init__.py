"""Runs that were finished before: kept in a database, and taken from it where nothing they depend on has changed."""
