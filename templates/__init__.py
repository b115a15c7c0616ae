"""What Tidings says: templates, CLDR filters, and the library of a workspace's messages."""
