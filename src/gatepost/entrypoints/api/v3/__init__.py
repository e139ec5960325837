"""The resources of the API, one file each, named after their paths."""
