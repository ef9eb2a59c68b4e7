"""The program `python -m data_prep.doctor`: one module for each subject of its checks."""
