"""What teachers are worth: their depth against LiDAR and against themselves, on one page."""
