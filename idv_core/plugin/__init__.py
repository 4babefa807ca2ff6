"""The door for plugin authors, and the contract."""
