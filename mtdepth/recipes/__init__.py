"""Recipes: every number that changes a trained weight."""
