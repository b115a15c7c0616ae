"""What tests share: databases, free ports."""
