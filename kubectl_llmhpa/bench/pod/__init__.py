"""What runs inside the benchmark pod: Python 3.8 and later, standard library only, importing nothing else."""
