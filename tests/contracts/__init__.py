"""What everything discovered has to keep."""
