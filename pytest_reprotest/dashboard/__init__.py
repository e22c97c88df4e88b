"""The dashboard: a folder of results over time, served to a browser on this machine.

Dash is imported in ``app``, ``callbacks`` and what they lay out; what they show is worked out without it.
"""
