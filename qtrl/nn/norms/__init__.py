"""What scales values on their way through a network, by fixed numbers or by statistics."""
