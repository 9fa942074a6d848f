"""Registering, logging in, and a person's own account."""
