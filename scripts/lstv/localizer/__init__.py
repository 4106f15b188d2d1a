"""Slices -> heatmaps: the network and its checkpoint, views and patches, inference, the heatmap file."""
