"""Casts ballots: `POST /vote/<id>`, the request that ten thousand people make in the same ten seconds. Bare ASGI."""
