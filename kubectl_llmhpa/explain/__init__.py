"""Why does the controller ask for this many replicas, and what would change it?"""
