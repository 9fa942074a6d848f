"""Who is asking: bearer tokens, sessions, CSRF tokens, revocations, known devices."""
