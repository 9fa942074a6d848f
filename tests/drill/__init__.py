"""`make drill`: destroys the database while people vote and register, restores it, and counts."""
