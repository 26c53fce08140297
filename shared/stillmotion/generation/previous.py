"""The job that a request continues: named by our id, checked when the request is accepted, and translated into
ModelGates' own id when it is submitted.

Whoever may see a job may continue it: its owner, everybody where it has none, operators, and workflows, which are
trusted. A job that may not be seen is answered as one that is not there.
"""

from __future__ import annotations

from stillmotion.errors import Fault, InvalidRequest
from stillmotion.jobs.lifecycle import Status
from stillmotion.modelgates.models import VideoModel
from stillmotion.ports import JobStore

_PLACE = "#/previous_job_id"


def check_previous(store: JobStore, job_id: str, model: VideoModel, owner: str | None, *, sees_all: bool) -> None:
    """Refuse a job that cannot be continued on this model, or not by this owner.

    Raises:
        InvalidRequest: it is not there or not to be seen, not completed, or of another model.
        StorageFailed: may be tried again.
    """
    job = store.find(job_id)
    if job is None or not (sees_all or job.owner in (None, owner)):
        raise _no_such(job_id)
    if job.status is not Status.COMPLETED:
        detail = f"is {job.status}: only a completed job can be continued"
    elif job.model not in (model.id, model.canonical_slug):
        detail = f"was made with {job.model}, and is continued on the same model only"
    else:
        return
    raise InvalidRequest(
        f"previous_job_id {detail}. Correct it, or leave it out; nothing was submitted.",
        faults=[Fault(_PLACE, detail, given=job_id)],
    )


def provider_id_of(store: JobStore, job_id: str) -> str:
    """ModelGates' id of a job that was checked when the request was accepted.

    Raises:
        InvalidRequest: its record has expired since.
        StorageFailed: may be tried again.
    """
    job = store.find(job_id)
    if job is None or job.provider.job_id is None:
        raise _no_such(job_id)
    return job.provider.job_id


def _no_such(job_id: str) -> InvalidRequest:
    detail = "is no completed job of yours"
    return InvalidRequest(
        f"previous_job_id {detail}. Give the id that this stack gave the job (vid_…), not ModelGates' own; records are "
        "kept for 90 days. Nothing was submitted.",
        faults=[Fault(_PLACE, detail, given=job_id)],
    )
