"""The study's experiment as an audit: its data sets, nets, factors and published numbers."""
