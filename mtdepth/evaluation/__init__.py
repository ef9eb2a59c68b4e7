"""Scoring: who takes part, what is true, the loop, and its tables and pictures."""
