"""Tests against real inference engines."""
