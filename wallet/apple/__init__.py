"""Apple Wallet: the signed pass, the web service that keeps it live, the pushes that wake its devices."""
