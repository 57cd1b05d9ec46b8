"""What is written for a workload, in which order, and when is that refused?"""
