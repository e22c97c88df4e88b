"""Executors: where runs are trained."""
