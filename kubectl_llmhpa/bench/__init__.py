"""How much can one replica take? Load, sweep, knee, target, proof and report."""
