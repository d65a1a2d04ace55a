"""Figures, each drawn once with Matplotlib and saved as PNG and as SVG."""
