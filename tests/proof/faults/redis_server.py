"""Breaking Redis: its process, its memory, and what it keeps."""

import shutil
from random import Random
from time import sleep

from tests.proof.faults.fault import Cause, Fault, on_one_redis
from tests.proof.stage import ChaosStage
from tests.servers import wait_until
from tests.system import free_port


def _kill(stage: ChaosStage, _random: Random) -> None:
    stage.redis.kill()
    stage.redis.start()


def _suspend(stage: ChaosStage, random: Random) -> None:
    stage.redis.pause()
    try:
        sleep(random.uniform(0.3, 3.0))
    finally:
        stage.redis.resume()


def _fill_memory(stage: ChaosStage, random: Random) -> None:
    client = stage.client()
    limit = client.config_get("maxmemory")["maxmemory"]
    client.config_set("maxmemory", client.info("memory")["used_memory"] * 3 // 4)
    try:
        sleep(random.uniform(0.5, 3.0))
    finally:
        client.config_set("maxmemory", limit)


def _empty(stage: ChaosStage, _random: Random) -> None:
    stage.client().flushall()


def _lose_disk(stage: ChaosStage, _random: Random) -> None:
    stage.redis.kill()
    shutil.rmtree(stage.redis.folder)
    stage.redis.start()


def _restore_older(stage: ChaosStage, random: Random) -> None:
    copy = stage.copy_path("redis-copy")
    stage.redis.copy_to(copy)
    sleep(random.uniform(0.2, 2.0))
    stage.redis.put_back(copy)
    shutil.rmtree(copy)


def _fail_over(stage: ChaosStage, random: Random) -> None:
    """To a replica that has not heard the end."""
    primary, replica = stage.redis, stage.new_redis()
    port = free_port()
    primary.client().config_set("port", port)
    primary.client().config_set("repl-diskless-sync-delay", 0)
    replica.start()
    client = replica.client()
    client.replicaof("127.0.0.1", port)
    wait_until(lambda: client.info("replication")["master_link_status"] == "up", 60, "the replica in step")
    # Until its first rewrite has ended it has no file to restart from, and must not sell.
    wait_until(lambda: client.info("persistence")["aof_rewrite_in_progress"] == 0, 60, "the replica's file")
    client.replicaof("NO", "ONE")
    sleep(random.uniform(0.05, 1.0))
    primary.kill()
    stage.replace_redis(replica)
    shutil.rmtree(primary.folder)
    primary.stop()


def _fault(kind: str, cause: Cause, *, may_lose: bool = False) -> Fault:
    return Fault(kind, "redis", cause, may_lose, on_one_redis)


FAULTS = (
    _fault("Redis killed", _kill),
    _fault("Redis suspended", _suspend),
    _fault("Redis at maxmemory", _fill_memory),
    _fault("Redis emptied", _empty, may_lose=True),
    _fault("Redis's disk lost", _lose_disk, may_lose=True),
    _fault("Redis restored older", _restore_older, may_lose=True),
    _fault("Redis failed over to a lagging replica", _fail_over, may_lose=True),
)
