"""Ray's job server: submits jobs, and is asked for their state and their log. It is spoken to over HTTP alone.

Importing this module does not import Ray; using it does.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from peagen_ray.config.jobs import only_address
from peagen_ray.errors import BrokerUnavailable, ConfigError, JobError, UsageError

_REPLY_S: Final = 60.0
"""Seconds for an answer to begin."""

_UPLOAD_S: Final = 600.0
"""Seconds for an answer to an upload, which the server stores first."""

_STOP_S: Final = 600
"""Seconds that Ray gives a job to end itself; it has no more to do than to measure and send its best."""

_OURS: Final = "peagen-ray"
"""Key of a job's metadata that says that we submitted it: with which version."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class JobState:
    """What the job server says of a job.

    Attributes:
        status: ``PENDING``, ``RUNNING``, ``SUCCEEDED``, ``FAILED`` or ``STOPPED``.
        message: why, for a person.
        exit_code: of the entrypoint; None as long as there is none, or where Ray does not say.
        entrypoint: what it runs.
        ours: peagen-ray submitted it.
    """

    status: str
    message: str
    exit_code: int | None
    entrypoint: str
    ours: bool

    @property
    def pending(self) -> bool:
        """It has not begun."""
        return self.status == "PENDING"

    @property
    def ended(self) -> bool:
        """It runs no more, and never will."""
        return self.status in {"SUCCEEDED", "FAILED", "STOPPED"}


class JobServer:
    """A cluster's job server.

    Every method raises BrokerUnavailable if it does not answer, ConfigError if it does not let us in.

    Args:
        url: such as ``http://127.0.0.1:8265``.
        reply_s: seconds for an answer to begin.
    """

    def __init__(self, url: str, *, reply_s: float = _REPLY_S) -> None:
        self.url = url
        self._reply_s = reply_s
        with self._words(""):
            self._client = self._connected()

    def submit(self, job_id: str, entrypoint: str, package: Path, version: str) -> None:
        """Upload the files and start a job, on the head unless that is full.

        Submitting the same job again changes nothing, so that one whose answer was lost can be repeated.

        Args:
            job_id: a new one.
            entrypoint: for a shell.
            package: the archive that becomes its working directory.
            version: ours.

        Raises:
            JobError: the server refuses it.
        """
        environment = {"working_dir": str(package), "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(_STOP_S)}}
        with self._words(job_id):
            try:
                self._client.submit_job(
                    entrypoint=entrypoint,
                    submission_id=job_id,
                    runtime_env=environment,
                    metadata={_OURS: version},
                    entrypoint_num_cpus=0,
                )
            except RuntimeError as error:
                if f"{job_id} already exists" not in str(error):
                    raise

    def state(self, job_id: str) -> JobState:
        """What it says of a job; raises JobError if it knows none of that name."""
        with self._words(job_id):
            facts = self._client.get_job_info(job_id)
        return JobState(
            status=str(getattr(facts.status, "value", facts.status)),
            message=facts.message or "",
            exit_code=facts.driver_exit_code,
            entrypoint=facts.entrypoint or "",
            ours=_OURS in (facts.metadata or {}),
        )

    def log(self, job_id: str) -> str:
        """The whole of a job's log so far; raises JobError if it knows none of that name."""
        with self._words(job_id):
            text: str = self._client.get_job_logs(job_id)
        return text

    def stop(self, job_id: str) -> bool:
        """Ask a job to end itself; False if there was nothing to ask, since it has not begun or has ended."""
        with self._words(job_id):
            stopped: bool = self._client.stop_job(job_id)
        return stopped

    def _connected(self) -> Any:
        from ray.job_submission import JobSubmissionClient

        reply_s = self._reply_s

        class Client(JobSubmissionClient):
            """Waits for no answer for ever."""

            def _do_request(self, method: str, endpoint: str, **options: Any) -> Any:
                patience = max(reply_s, _UPLOAD_S) if method == "PUT" else reply_s
                return super()._do_request(method, endpoint, **{"timeout": patience, **options})

        for name in ("ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk"):
            logging.getLogger(name).setLevel(logging.WARNING)
        with only_address(self.url):
            return Client(self.url)

    @contextmanager
    def _words(self, job_id: str) -> Iterator[None]:
        """Turns what Ray and its HTTP client raise into errors of ours."""
        from ray.exceptions import AuthenticationError
        from requests.exceptions import RequestException

        try:
            yield
        except AuthenticationError as error:
            raise ConfigError(
                "the job server wants a token, or another one",
                subject=self.url,
                hint="set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN",
            ) from error
        except (RequestException, OSError, ValueError) as error:
            raise self._away(_first(error)) from error
        except RuntimeError as error:
            raise self._refused(str(error), job_id) from error

    def _away(self, why: str) -> BrokerUnavailable:
        return BrokerUnavailable(
            f"no job server answers: {why}",
            subject=self.url,
            hint="is it the address of the dashboard, such as http://HOST:8265, and is its port forwarded?",
        )

    def _refused(self, said: str, job_id: str) -> Exception:
        """What an answer means that is none."""
        if "status code 404" in said or "returned 404" in said:
            if not job_id:
                return self._away("there is a web server, which knows nothing of jobs")
            return JobError("the job server knows no such job", subject=job_id, hint="or knows it no longer")
        if any(f"status code {code}" in said for code in (502, 503, 504)):
            return self._away(said)
        if "status code 413" in said:
            return UsageError("the files are more than the job server takes", subject=self.url)
        return JobError(f"the job server refuses: {said.strip()[-2000:]}", subject=job_id or self.url)


def _first(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
