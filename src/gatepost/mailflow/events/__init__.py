"""What happened, told to others: every change of a recipient's state leaves one event in the same transaction."""
