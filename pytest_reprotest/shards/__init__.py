"""Audits trained in parts, on machines that know nothing of each other, and joined afterwards."""
