"""Crashes and failing disks, produced on purpose and at every point."""
