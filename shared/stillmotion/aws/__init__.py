"""How functions talk to AWS: clients, and the one translation of AWS errors."""
