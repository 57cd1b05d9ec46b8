"""What may the caller do, and what does a command need?"""
