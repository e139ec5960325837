"""Who may send, in whose name: our rules. The world is reached only through the ports named here."""
