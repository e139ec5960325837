"""For the operator's machines: health, metrics, and the control socket by which commands reach a mail worker."""
