"""The ModelGates API: client, answers, models, prices."""
