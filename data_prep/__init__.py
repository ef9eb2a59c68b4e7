"""From recordings to label stores."""
