"""Where the workers of a labelling job run, and how frames are dealt to them."""
