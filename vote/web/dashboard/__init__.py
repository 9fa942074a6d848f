"""The organisers' dashboard: create a competition, edit it, open and close it."""
