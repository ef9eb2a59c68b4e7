"""What goes into the folder that is carried to a Raspberry Pi."""
