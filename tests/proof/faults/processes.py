"""Killing and stopping the product's processes."""

from random import Random
from time import sleep

import psutil

from tests.proof.faults.fault import Fault
from tests.proof.stage import ChaosStage
from tests.servers import wait_until

_LONGEST_STOP_S = 3.0


def _kill_web_process(stage: ChaosStage, random: Random) -> None:
    before = stage.web_processes()
    victim = random.choice(before)
    victim.kill()
    known = {process.pid for process in before}
    wait_until(lambda: any(p.pid not in known for p in stage.web_processes()), 60, "another web process")


def _kill_web_master(stage: ChaosStage, _random: Random) -> None:
    stage.running.kill_and_wait_for_next("web")
    stage.wait_web()


def _kill_part(name: str) -> Fault:
    def kill(stage: ChaosStage, _random: Random) -> None:
        victim = stage.running.part(name)
        victim.kill()
        wait_until(lambda: stage.running.part(name).pid != victim.pid, 60, f"another {name}")

    return Fault(f"{name} killed", name, kill)


def _kill_worker_in_a_batch(stage: ChaosStage, random: Random) -> None:
    """It has read the log and waits for SQL's lock when it dies."""
    with stage.locked_sql():
        sleep(random.uniform(0.5, 1.5))
        victim = stage.running.part("worker")
        victim.kill()
        wait_until(lambda: stage.running.part("worker").pid != victim.pid, 60, "another worker")


def _kill_launcher(stage: ChaosStage, _random: Random) -> None:
    running = stage.running
    family = running.family()
    assert running.process
    running.process.kill()
    running.process.wait()
    wait_until(lambda: not any(_runs(member) for member in family), 90, "the parts to end")
    running.launch()
    stage.wait_web()


def _runs(process: psutil.Process) -> bool:
    """Where nobody collects orphans, those that have ended stay as zombies."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _suspend(process: psutil.Process, random: Random) -> None:
    process.suspend()
    try:
        sleep(random.uniform(0.3, _LONGEST_STOP_S))
    finally:
        process.resume()


def _suspend_web_process(stage: ChaosStage, random: Random) -> None:
    _suspend(random.choice(stage.web_processes()), random)


def _suspend_launcher(stage: ChaosStage, random: Random) -> None:
    assert stage.running.process
    _suspend(psutil.Process(stage.running.process.pid), random)


def _suspend_part(name: str) -> Fault:
    def stop(stage: ChaosStage, random: Random) -> None:
        _suspend(stage.running.part(name), random)

    return Fault(f"{name} suspended", name, stop)


FAULTS = (
    Fault("web process killed", "web", _kill_web_process),
    Fault("web server killed", "web", _kill_web_master),
    Fault("web process suspended", "web", _suspend_web_process),
    _kill_part("worker"),
    Fault("worker killed in a batch", "worker", _kill_worker_in_a_batch),
    _suspend_part("worker"),
    _kill_part("cron"),
    _suspend_part("cron"),
    _kill_part("sender"),
    Fault("launcher killed", "launcher", _kill_launcher),
    Fault("launcher suspended", "launcher", _suspend_launcher),
)
