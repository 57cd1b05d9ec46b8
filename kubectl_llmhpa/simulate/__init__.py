"""What would this autoscaler do under that load? A model of pods, and the HPA's own arithmetic over time."""
