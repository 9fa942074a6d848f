"""Identify who sends a request: bearer tokens, sessions, CSRF tokens, revocations, known devices."""
