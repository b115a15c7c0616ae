"""Tests of the channels, against real servers on this machine."""
