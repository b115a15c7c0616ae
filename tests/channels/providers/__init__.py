"""Local servers that speak the providers' protocols: one file a channel, of the channel's name."""
