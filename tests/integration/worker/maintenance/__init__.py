"""Housekeeping of the worker: what it signs, trims, forgets, has back and retires."""
