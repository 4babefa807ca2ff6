"""What runs an exchange. The logic yields effects; two thin drivers, one blocking and one async, carry them out."""
