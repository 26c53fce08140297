"""Runs a pipeline and tells what it took. A small process of its own: a child's peak memory starts with its parent's.

``python -I -S meter.py '[["curl", …], ["curl", …]]'``; standard library only, nothing imported that is not needed.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time


def main(commands: list[list[str]]) -> int:
    started = time.perf_counter()
    processes: list[subprocess.Popen[bytes]] = []
    for command in commands:
        source = processes[-1].stdout if processes else subprocess.DEVNULL
        processes.append(subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE))
        if processes[1:] and processes[-2].stdout:
            processes[-2].stdout.close()
    last = processes[-1].stdout
    output = last.read().decode() if last else ""
    peak, cpu, failed = 0, 0.0, 0
    for process in processes:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        failed = failed or process.returncode
        cpu += used.ru_utime + used.ru_stime
        peak += used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "peak_bytes": peak, "output": output}))
    return 1 if failed else 0


if __name__ == "__main__":
    # Whatever goes wrong, no pipeline outlives this.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.exit(main(json.loads(sys.argv[1])))
