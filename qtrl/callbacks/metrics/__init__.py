"""What is measured beside the updates: rows of metrics, the probe of the layers, warnings."""
