"""Fine-tuning the teachers on labelled sets: readers, examples, recipes, the run."""
