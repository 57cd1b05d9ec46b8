"""What is there, before anything is planned?"""
