"""One contender in a process and an environment of its own.

Reads JSON lines from standard input, answers with JSON lines on standard output:

    {"do": "prepare", "driver": "driver_sdk", "op": {...}}  ->  {}
    {"do": "check"}                                         ->  {"count":, "size":, "sha256":}
    {"do": "run", "times": N}                               ->  {"wall": s, "cpu": s, "peak": bytes}
    {"do": "close"}                                         ->  {}, and the process ends

An error is {"error": text}. Only the standard library and the contender's own package are imported.
"""

import gc
import importlib
import json
import os
import sys
import time
import traceback

from operation import ThreadedOperation


def main():
    # What a library prints must not get between the lines.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    operation, base = None, 0
    for line in sys.stdin:
        command = json.loads(line)
        answer, done = {}, False
        try:
            match command["do"]:
                case "prepare":
                    operation = prepare(command["driver"], command["op"])
                    gc.collect()
                    base = operation.peak()
                case "check":
                    answer = operation.check()
                case "run":
                    answer = timed(operation, command["times"])
                    answer["grown"] = max(0, answer["peak"] - base)
                case "close":
                    done = True
                    if operation is not None:
                        operation.close()
        except BaseException as err:
            last = traceback.extract_tb(err.__traceback__)[-1]
            text = f"{type(err).__name__}: {err}".splitlines()[0]
            answer = {"error": f"{text} ({os.path.basename(last.filename)}:{last.lineno})"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        if done:
            break


def prepare(driver, op):
    for number in range(op.get("variables", 0)):
        os.environ[f"SOME_VARIABLE_{number}"] = "value " * 5
    operation = importlib.import_module(driver).prepare(op)
    threads = op.get("threads", 1)
    if threads > 1 and not operation.is_concurrent:
        return ThreadedOperation(operation, threads)
    return operation


def timed(operation, times):
    cpu, started = operation.cpu(), time.perf_counter()
    operation.run(times)
    wall = time.perf_counter() - started
    return {"wall": wall / times, "cpu": (operation.cpu() - cpu) / times, "peak": operation.peak()}


if __name__ == "__main__":
    main()
