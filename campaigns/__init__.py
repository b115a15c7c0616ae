"""What we decide: scenarios, audiences, gates, holdout and steps; the dry run, versions, results."""
