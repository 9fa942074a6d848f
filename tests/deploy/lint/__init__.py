"""`make deploy-lint`: every checker finds nothing in the tree, and finds each fault that is planted in a copy of it."""
