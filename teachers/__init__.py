"""Label sources: images in, labels out."""
