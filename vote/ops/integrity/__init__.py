"""Verify the stored records: each module checks one kind and names every row that is not as it must be."""
