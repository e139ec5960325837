"""Values that any layer may hold: ids, the Clock and Entropy ports, Secret, Allow and Deny, the error tree.

Pure: imports nothing of ours and nothing that touches the world.
"""
