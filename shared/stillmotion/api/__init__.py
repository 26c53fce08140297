"""The HTTP boundary: resolver, caller, and the views that callers see."""
