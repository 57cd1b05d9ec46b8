"""Which hop of the chain from the engine to the last pod is broken, and what mends it?"""
