"""`make bench-profile`: where a web process's time goes, by py-spy under load; a table, and a flame graph a request.

ARGS='SECONDS'. py-spy may need root.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from subprocess import DEVNULL

from bench.cost import Case, Turn, cases, take
from bench.report import FIGURES, Measurement, Table
from bench.served import BARE, Served

_CONNECTIONS = 64
# A sample belongs to the innermost of its frames that belongs to a layer: json in a log line is the log line's.
_LAYERS = {
    "log line": r"structlog/|telemetry/logs",
    "metrics": r"prometheus_client/|telemetry/metrics",
    "request id and frame": r"web/request_frame",
    "rate limit": r"web/rate_limiting|web/client_address|redis_store/rate_limits",
    "Redis: pipeline, packing, parsing": r"redis_store/(auto_pipeline|connection|event_scripts|failures)|\(redis/",
    "our web server": r"seating/server/",
    "gunicorn: parser": r"gunicorn/http/(message|parser|unreader|body)",
    "gunicorn: everything else": r"gunicorn/",
    "pydantic": r"pydantic/",
    "Flask, Werkzeug, OpenAPI": r"flask/|werkzeug/|flask_openapi3/|blinker/",
    "the product's own code": r"seating/",
    "the measurement's view": r"bench/",
    "gevent's loop": r"gevent/hub",
}
_TEXT = """py-spy, {rate} samples a second for {seconds} s, of one of two web processes under wrk with {connections}
connections. A sample belongs to the innermost of its frames that is of a layer, so that json is the log line's where
that calls it; what gevent and the kernel do for a layer is that layer's. µs are shares of the CPU time of a request
as the kernel counts it in the same load, sampling included."""
_RATE = 400


def profile(case: Case, seconds: int, form: str, target: Path) -> Turn:
    """Samples a web process while `case` is asked for, and writes what py-spy calls a `form`."""
    pid = case.served.workers()[0].pid
    # The command stands in the flame graph: a name without its folder.
    command = ["py-spy", "record", "--rate", str(_RATE), "--duration", str(seconds), "--pid", str(pid)]
    command += ["--format", form, "--output", target.name]
    sampling: list[subprocess.Popen[bytes]] = []

    def sample() -> None:
        sampling.append(subprocess.Popen(command, cwd=target.parent, stdout=DEVNULL, stderr=DEVNULL))

    turn = take(case, _CONNECTIONS, seconds + 2, sample)
    if sampling[0].wait():
        raise SystemExit("py-spy failed; it may need root")
    return turn


def by_layer(folded: str) -> Counter[str]:
    """Samples of each layer, from lines `outermost;…;innermost count`."""
    samples: Counter[str] = Counter()
    for line in folded.splitlines():
        stack, _, count = line.rpartition(" ")
        if "acquire_with_timeout" in stack:  # A thread that waits for work.
            continue
        layer = next((name for frame in reversed(stack.split(";")) if (name := _layer_of(frame))), "everything else")
        samples[layer] += int(count)
    return samples


def _layer_of(frame: str) -> str | None:
    return next((name for name, pattern in _LAYERS.items() if re.search(pattern, frame)), None)


def main(seconds: int = 10) -> None:
    if shutil.which("py-spy") is None:
        os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    text = _TEXT.format(rate=_RATE, seconds=seconds, connections=_CONNECTIONS)
    report = Measurement("profile", "Where the time goes", "make bench-profile", text)
    FIGURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Served(BARE) as bare, Served() as product:
        folded = Path(folder) / "folded"
        for letter, name in (("a2:", "bare"), ("b:", "purchase"), ("c:", "event")):
            case = next(case for case in cases(bare, bare, product) if case.name.startswith(letter))
            profile(case, seconds, "flamegraph", FIGURES / f"flame-{name}.svg")
            turn = profile(case, seconds, "raw", folded)
            samples = by_layer(folded.read_text())
            shares = [(layer, count / samples.total()) for layer, count in samples.most_common()]
            rows = [[layer, round(share * 100, 1), round(share * turn.web_us)] for layer, share in shares]
            told = f"[Flame graph](figures/flame-{name}.svg)."
            report.tables.append(Table(case.name, told, ["layer", "%", "µs a request"], rows))
    report.save()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
