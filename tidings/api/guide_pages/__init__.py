"""The description of the API as people read it."""
