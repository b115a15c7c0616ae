"""Google Wallet: the loyalty class and object, the client that writes them, the link that saves them."""
