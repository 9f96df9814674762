"""``replay``: what is in quarantine through today's code and configuration."""
