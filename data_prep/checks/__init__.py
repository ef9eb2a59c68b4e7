"""What can be wrong with a data set: one module for each subject, pure functions."""
