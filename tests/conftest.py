"""What all tests share: no limit on the time of one generated example, for machines that are busy with other things."""

from hypothesis import settings

settings.register_profile("stillmotion", deadline=None)
settings.load_profile("stillmotion")
