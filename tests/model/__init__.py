"""The reference model of the ballot log, and the machine that holds the real code against it.

`facts.py` is what there is to know, `reference.py` what the log may answer and hold, `promises.py` judges the books.
`world.py` has the real parts; `clients.py` and `processes.py` those that can be hindered. What may happen is told by
subject: `people.py`, `ballots.py`, `lost_calls.py`, `workers.py`, `log_faults.py`, `set_backs.py`, `strangers.py`,
`restores.py`, on the state of `stage.py`. `machine.py` puts them together, and `tests/system/test_model.py` runs it.
"""
