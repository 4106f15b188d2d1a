"""Synthetic sagittal lumbar MR, normal and transitional: for the demo, the tests and studies with known truth."""
