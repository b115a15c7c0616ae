"""A crowd of customers, audiences about them, and who belongs: reckoned plainly, without the database."""
