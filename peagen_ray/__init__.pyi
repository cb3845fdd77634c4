from peagen_ray._version import __version__ as __version__
from peagen_ray.runtime.embedding import evolve as evolve
from peagen_ray.runtime.embedding import open_queue as open_queue
from peagen_ray.runtime.embedding import submit as submit
from peagen_ray.runtime.result import RunResult as RunResult
from peagen_ray.task import Result as Result
from peagen_ray.task import Status as Status
from peagen_ray.task import Task as Task
from peagen_ray.task import TaskKind as TaskKind

__all__ = [
    "Result",
    "RunResult",
    "Status",
    "Task",
    "TaskKind",
    "__version__",
    "evolve",
    "open_queue",
    "submit",
]
