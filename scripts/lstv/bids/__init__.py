"""BIDS folders: the chosen series written as one, and one as a source of studies."""
