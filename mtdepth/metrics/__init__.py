"""What evaluation reports: numpy only."""
