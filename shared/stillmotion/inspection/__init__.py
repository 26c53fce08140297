"""Inspection of delivered clips: facts, likeness, pictures. PyAV and Pillow are imported here and nowhere else."""
