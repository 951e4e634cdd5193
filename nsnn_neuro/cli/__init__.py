"""The command line, `nsnn`."""
