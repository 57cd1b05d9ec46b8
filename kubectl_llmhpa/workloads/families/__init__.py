"""Families of kinds that run engines, one file each; `registry` joins them."""
