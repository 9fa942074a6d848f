"""Casting: `POST /vote/<id>`, the one request that ten thousand people make in the same ten seconds. Bare ASGI."""
