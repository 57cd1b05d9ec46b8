"""How do rules come into the adapter that serves the whole cluster, and out of it again?"""
