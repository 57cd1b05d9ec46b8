"""What does an engine expose? One file an engine, the exposition reader and the registry."""
