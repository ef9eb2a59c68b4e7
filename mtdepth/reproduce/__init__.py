"""The tables of both papers as commands: trained, scored, timed and set beside what was printed."""
