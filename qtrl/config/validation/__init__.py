"""What a config may say: its keys, kinds and ranges, and what is refused with the right way to say it."""
