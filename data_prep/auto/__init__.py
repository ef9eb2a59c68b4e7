"""The whole way from recordings to an int8 file, each step by the program that does it alone."""
