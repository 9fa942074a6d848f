"""Pages for voters and visitors: competitions, ballots, results, receipts."""
