"""The use cases of one video on its way from the order to the clip, one module each."""
