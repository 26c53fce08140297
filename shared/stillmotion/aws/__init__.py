"""How functions talk to AWS."""
