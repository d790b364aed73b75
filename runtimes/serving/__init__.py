"""The model as a server over HTTP, and over the rows of a file."""
