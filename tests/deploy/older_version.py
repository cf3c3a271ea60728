"""Run a part as a build before log formats: it announces none, and does not know the newer entries.

`python -m tests.deploy.older_version worker`, or `cron`, or `web` with gunicorn's arguments.
"""

import importlib
import sys

from seating.domain import change_json, log_format


def main(part: str) -> None:
    for kind in [kind for kind in change_json._KINDS if log_format.format_of(kind)]:
        del change_json._KINDS[kind]
    log_format.LOG_FORMAT = 0  # type: ignore[misc]
    log_format._WORKER_NAME = "{1}"  # type: ignore[misc]
    # Imported only now, because they keep what they import. The web processes are forks of this one.
    modules = {"worker": "workers.rq_worker", "cron": "workers.cron", "web": "gunicorn.app.wsgiapp"}
    importlib.import_module(modules[part]).run()


if __name__ == "__main__":
    main(sys.argv.pop(1))
