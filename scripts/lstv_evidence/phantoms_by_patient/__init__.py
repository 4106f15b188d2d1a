"""Phantoms whose anatomy is drawn patient by patient, with correlations: for studies of the method. See traits.py."""
