"""What proves the product and is not part of it: phantoms, the demo's localizer, the method study, planted changes."""
