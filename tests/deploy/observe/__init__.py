"""`make observe-lint`: alerts, routes and runbooks are right, and each fault planted in a copy is found."""
