"""What every request passes, Flask or front door: who is it, where does it come from, how are errors told."""
