"""`make security`: what attacks the code and the running app, and the holes each attacker must find first."""
