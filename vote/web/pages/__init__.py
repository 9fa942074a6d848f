"""Pages for voters and everybody else: competitions, ballots, results, receipts."""
