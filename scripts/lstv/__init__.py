"""Screening lumbar MRI for lumbosacral transitional vertebrae by the uncertainty of a disc-level localizer.

Research use only; nothing here is a diagnosis.
"""

__version__ = "0.1.0"
