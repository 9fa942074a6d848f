"""`make upgrade-test`: an upgrade and its rollback by the rules of expand/contract, under 200 votes a second.

The release before and this one run side by side: old code on the new schema, new code on the expanded one, back and forth.
No request may fail, and every acknowledged vote must be counted once. `release_before.py` says which commit the release
before is; `sequence.py` has the stages.
"""
