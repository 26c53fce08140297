"""Restricting a request to the pictures that its entry point may name (:mod:`stillmotion.requests.owned_names`).

Checked by prefix, once, when the request is accepted. For other buckets the function's role decides: it may read what
the parameter ``ImageObjectArns`` names. A key that may not be named is answered as one that is not there, and before
any call to S3, so that nothing is learnt about it.
"""

from __future__ import annotations

from dataclasses import dataclass

from stillmotion.errors import ImageNotUsable
from stillmotion.requests.owned_names import Names
from stillmotion.requests.probe import ABSENT, MediaAddress, Unusable, unusable
from stillmotion.requests.video_request import VideoRequest


@dataclass(frozen=True, slots=True)
class InputBucket:
    """The input bucket, and the prefix in it that every caller may name."""

    name: str
    shared_prefix: str

    def require(self, one: MediaAddress, names: Names) -> None:
        """Refuse an ``s3://`` address that this entry point may not name.

        Raises:
            Unusable: it may not, in the words for an object that is not there; or it names no object.
        """
        if one.scheme == "s3" and not self.may_name(*one.place, names):
            raise Unusable(ABSENT)

    def may_name(self, bucket: str, key: str, names: Names) -> bool:
        """Whether these names admit a key; of another bucket, every key without empty and dotted segments."""
        if any(segment in ("", ".", "..") for segment in key.split("/")):
            return False
        # A bucket's name may become a host name, whose case does not matter.
        return bucket.lower() != self.name.lower() or key.startswith(self.shared_prefix) or names.admit(key)

    def require_all(self, request: VideoRequest, names: Names) -> None:
        """Refuse a request that names what this entry point may not.

        Raises:
            ImageNotUsable: with every such address.
        """
        faults = []
        for one in (MediaAddress(pointer, url) for pointer, url in request.media()):
            try:
                self.require(one, names)
            except Unusable as error:
                faults.append(one.fault(error))
        if faults:
            raise ImageNotUsable(unusable(faults), faults=faults)
