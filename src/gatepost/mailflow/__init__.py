"""The life of a message: accept or refuse, queue, deliver, tell. The world is reached only through ports."""
