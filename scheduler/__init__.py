"""When: the beats, the outbox's delivery, and the engine that spreads work."""
