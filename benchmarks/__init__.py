"""Repeatable loads against Gatepost and, in the same run, against what people use today."""
