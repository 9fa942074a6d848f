"""Verifying the books: each module checks one of them and names every row that is not as it must be."""
