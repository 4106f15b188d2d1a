"""Pages of single studies with the whole series, which work from a copied folder without a network.

``series_pack`` writes a series as a script, ``assets`` has the viewer that shows it; both serve the blinded reading and the
app too.
"""
