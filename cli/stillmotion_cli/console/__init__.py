"""`stillmotion console`: a page on this machine whose server signs the API calls.

    browser ──▶ guard ──▶ routes ──▶ api      signed calls of the stack's API
                                 ├─▶ upload   a picture, streamed to S3
                                 ├─▶ media    a clip or a picture of it, streamed from S3
                                 └─▶ static   the page itself

`guard` decides who may call at all; everything behind it may rely on that.
"""
