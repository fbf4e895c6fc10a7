"""Events made visible: logging."""
