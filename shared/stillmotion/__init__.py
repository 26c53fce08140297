"""Stillmotion's domain: everything around one paid, asynchronous image-to-video call.

Nothing here knows the shape of a Lambda event. Functions pass values in and get values back, or an error of
:mod:`stillmotion.errors`.
"""
