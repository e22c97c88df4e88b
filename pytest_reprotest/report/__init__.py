"""Reporters: they format finished results and decide nothing."""
