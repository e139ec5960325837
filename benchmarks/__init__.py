"""Repeatable loads with recorded results."""
