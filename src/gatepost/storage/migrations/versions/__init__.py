"""One file a step, ``vNNNN_what.py``; its revision is the number."""
