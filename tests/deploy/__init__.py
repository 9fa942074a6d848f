"""Tests of the deploy kit: `lint` reads its files, the others run them. `make test` leaves them to targets of their own."""
