"""Where a server may be, and how it may be guarded: users, TLS, Sentinels, clusters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from redis.exceptions import ResponseError

from peagen_ray.errors import BrokerUnavailable, ConfigError, QueueError
from peagen_ray.queues.model import FROM_START
from peagen_ray.queues.redis import RedisQueue
from peagen_ray.queues.redis.link import ACL_RULE
from peagen_ray.task import TaskKind
from peagen_ray.testing._queue_kit import CPU, LONG, a_task, error, ok
from peagen_ray.testing.ports import free_ports
from peagen_ray.testing.relay import Relay
from peagen_ray.testing.servers import Flavour, RedisServer

ALLOWED = [word for word in ACL_RULE.split() if word.startswith("+")]


def workout(queue: RedisQueue) -> None:
    """Whatever a queue can be asked."""
    queue.enqueue_all([a_task("cpu") for _ in range(8)])
    queue.enqueue(a_task("gpu"))
    claims = queue.claim(CPU, "w", limit=6)
    done, retried, dead, back, released, extended = claims
    assert queue.complete(done, ok(done.task), [a_task("cpu")])
    assert queue.fail(retried, error(retried.task, retryable=True))
    assert queue.fail(dead, error(dead.task, retryable=False))
    assert queue.give_back(back, 0.01)
    assert queue.release(released)
    assert queue.extend(extended)
    assert queue.cancel(queue.list_tasks()[-1].id)
    assert queue.wait_for_result(done.task.id, 0.01)
    assert queue.wait_for_result("f" * 32, 0.01) is None
    assert len(queue.results_since(FROM_START)[0]) == 3
    assert queue.claim(frozenset({"tpu"}), "waits", timeout=0.01) == []
    assert queue.pop(block=False) is not None
    assert queue.requeue_orphans(0, 10) == 1
    assert queue.inspect(done.task.id)
    assert queue.counters()["acked", TaskKind.EXECUTE]
    assert queue.depth()
    assert len(queue.dead_letters()) == 1
    assert queue.retry([dead.task.id]) == 1
    assert queue.purge() == 0
    queue.held_bytes()  # whoever may not ask is told nothing, and no more


# ---- addresses -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis",
        "localhost:6379",
        "http://localhost",
        "ray://localhost",
        "redis+sentinel://localhost:26379",
        "redis+sentinel:///mymaster",
        "redis://localhost:port",
        "redis://localhost/name",
        "redis://localhost:6379?no_such_option=1",
    ],
)
def test_what_is_no_address_is_a_config_error_before_anything_connects(url: str) -> None:
    with pytest.raises(ConfigError):
        RedisQueue.from_url(url)


def test_an_address_of_a_program_that_wants_text_does(flavour: Flavour) -> None:
    with (
        RedisServer(flavour) as server,
        RedisQueue.from_url(f"{server.url}?decode_responses=true") as queue,
    ):
        workout(queue)


def test_an_address_is_looked_at_without_a_connection() -> None:
    RedisQueue.from_url("redis://127.0.0.1:1").close()


def test_the_number_in_an_address_is_another_queue(flavour: Flavour) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(RedisServer(flavour, tcp=True))
        first, second = (
            stack.enter_context(RedisQueue.from_url(f"{server.url}/{number}")) for number in (0, 3)
        )
        second.enqueue(a_task("cpu"))
        assert (first.pending_count(), second.pending_count()) == (0, 1)


# ---- passwords and users ---------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"password": "p@ss/w:rd"}, {}])
def test_a_password_may_stand_in_the_address_or_beside_it(flavour: Flavour, options: dict[str, str]) -> None:
    with RedisServer(flavour, tcp=True, options=["--requirepass", "p@ss/w:rd"]) as server:
        user = "" if options else ":p%40ss%2Fw%3Ard@"
        with RedisQueue.from_url(f"redis://{user}127.0.0.1:{server.port}", **options) as queue:
            workout(queue)


@pytest.mark.parametrize("password", ["", "wrong"])
def test_a_wrong_password_is_said_at_once_and_not_asked_again(flavour: Flavour, password: str) -> None:
    with (
        RedisServer(flavour, tcp=True, options=["--requirepass", "s3cret"]) as server,
        RedisQueue.from_url(server.url, password=password or None, broker_timeout=LONG) as queue,
        pytest.raises(ConfigError, match="refuses us") as caught,
    ):
        queue.enqueue(a_task("cpu"))
    assert caught.value.exit_code == 2


@pytest.fixture
def guarded(flavour: Flavour, tmp_path: Path) -> Iterator[Any]:
    """Starts a server on which ``worker`` has those rights, and nobody else any but ``admin``."""
    with ExitStack() as stack:

        def start(*rule: str) -> RedisServer:
            users = tmp_path / "users.acl"
            lines = [
                "user default off",
                "user admin on >a ~* &* +@all",
                f"user worker on >w {' '.join(rule)}",
            ]
            users.write_text("\n".join([*lines, ""]))
            return stack.enter_context(RedisServer(flavour, tcp=True, options=["--aclfile", str(users)]))

        yield start


def as_worker(server: RedisServer, **options: Any) -> RedisQueue:
    return RedisQueue.from_url(options.pop("url", server.url), username="worker", password="w", **options)


def all_that_a_user_does(server: RedisServer, **options: Any) -> None:
    """Whatever a queue can be asked, and what it does by itself in time."""
    with as_worker(server, **options) as queue:
        workout(queue)
        with server.client(username="admin", password="a") as admin:
            admin.script_flush()
            admin.xadd("peagen.tasks", {"data": "not JSON"})
        assert queue.claim(CPU, "w", limit=99)
        assert queue.dead_count() == 1
    with Relay(server.socket) as relay, as_worker(server, url=relay.url, **options) as queue:
        queue.enqueue(a_task("cpu"))
        relay.lose_replies()
        assert queue.claim(CPU, "w")
        assert relay.lost == 1
    with as_worker(server, results_kept=1, **options) as queue:
        queue.enqueue_all([a_task("cpu") for _ in range(3)])
        for claim in queue.claim(CPU, "w", limit=9):
            assert queue.complete(claim, ok(claim.task))
        assert len(queue.results_since(FROM_START)[0]) == 1


def test_the_documented_rule_is_enough_for_all_that_a_queue_does(guarded: Any) -> None:
    all_that_a_user_does(guarded(ACL_RULE))
    assert ACL_RULE in (Path(__file__).parents[2] / "docs" / "queues.md").read_text()


@pytest.mark.parametrize("taken", ALLOWED)
def test_no_part_of_the_documented_rule_can_be_left_out(guarded: Any, taken: str) -> None:
    server = guarded(*(word for word in ACL_RULE.split() if word != taken))
    with pytest.raises(ConfigError, match="refuses us"):
        all_that_a_user_does(server, broker_timeout=0.5)


def test_with_replicas_and_a_database_the_rule_needs_one_right_more_each(guarded: Any) -> None:
    server = guarded(ACL_RULE, "+wait")
    with as_worker(server, replicas=1, broker_timeout=0.3) as queue, pytest.raises(BrokerUnavailable):
        queue.enqueue(a_task("cpu"))
    server = guarded(ACL_RULE, "+select")
    with RedisQueue.from_url(f"{server.url}/2", username="worker", password="w") as queue:
        workout(queue)


def test_a_user_without_the_right_is_told_so_at_once(guarded: Any) -> None:
    queue = as_worker(guarded("~other.*", "+@all"), broker_timeout=LONG)
    with queue, pytest.raises(ConfigError, match="refuses us"):
        queue.enqueue(a_task("cpu"))


# ---- TLS -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "ca.crt"))
    issued = ca.issue_cert("localhost", "127.0.0.1")
    issued.private_key_pem.write_to_path(str(folder / "server.key"))
    for blob in issued.cert_chain_pems:
        blob.write_to_path(str(folder / "server.crt"), append=True)
    trustme.CA().cert_pem.write_to_path(str(folder / "other.crt"))
    return folder


def test_tls_with_an_authority_of_ones_own(authority: Path) -> None:
    with RedisServer("redis", tls=authority) as server, RedisQueue.from_url(server.url) as queue:
        assert server.url.startswith("rediss://")
        workout(queue)


def test_a_server_that_another_authority_vouches_for_is_not_trusted(authority: Path) -> None:
    with RedisServer("redis", tls=authority) as server:
        url = server.url.replace("ca.crt", "other.crt")
        queue = RedisQueue.from_url(url, broker_timeout=0.3)
        with queue, pytest.raises(BrokerUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            queue.enqueue(a_task("cpu"))


# ---- Sentinel --------------------------------------------------------------------------------------


def replica_of(master: RedisServer, flavour: Flavour) -> RedisServer:
    return RedisServer(flavour, tcp=True, options=["--replicaof", "127.0.0.1", str(master.port)])


def sentinel_of(master: RedisServer, flavour: Flavour, *lines: str) -> RedisServer:
    quick = ["sentinel down-after-milliseconds mymaster 300", "sentinel failover-timeout mymaster 3000"]
    watch = f"sentinel monitor mymaster 127.0.0.1 {master.port} 1"
    return RedisServer(flavour, sentinel=[watch, *quick, *lines])


def until(server: RedisServer, true: Any) -> None:
    """Return when that is true of the server's client."""
    with server.client(decode_responses=True) as client:
        while not true(client):
            client.ping()


def test_a_failover_is_followed_by_those_who_use_and_those_who_wait(flavour: Flavour) -> None:
    with ExitStack() as stack:
        master = stack.enter_context(
            RedisServer(flavour, tcp=True, options=["--repl-diskless-sync-delay", "0"])
        )
        replica = stack.enter_context(replica_of(master, flavour))
        until(replica, lambda client: client.info("replication")["master_link_status"] == "up")
        sentinel = stack.enter_context(sentinel_of(master, flavour))
        until(sentinel, lambda client: client.execute_command("SENTINEL", "REPLICAS", "mymaster"))
        url = f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel.port}/mymaster"
        queue = stack.enter_context(RedisQueue.from_url(url, broker_timeout=LONG, replicas=1))
        tasks = [a_task("cpu") for _ in range(5)]
        queue.enqueue_all(tasks)
        (held,) = queue.claim(CPU, "w", lease=600.0)
        other = stack.enter_context(RedisQueue.from_url(url, broker_timeout=LONG))
        master.kill()
        assert [claim.task.id for claim in other.claim(CPU, "w", 9, LONG)] == [t.id for t in tasks[1:]]
        assert other.complete(held, ok(held.task))
        with replica.client(decode_responses=True) as client:
            assert client.info("replication")["role"] == "master"
            assert client.xlen("peagen.results") == 1


def failed_over(sentinel: Any) -> bool:
    try:
        sentinel.execute_command("SENTINEL", "FAILOVER", "mymaster")
    except ResponseError:  # it has not heard of the replica yet
        return False
    return True


def test_a_master_that_was_demoted_is_left(flavour: Flavour) -> None:
    with ExitStack() as stack:
        master = stack.enter_context(
            RedisServer(flavour, tcp=True, options=["--repl-diskless-sync-delay", "0"])
        )
        replica = stack.enter_context(replica_of(master, flavour))
        until(replica, lambda client: client.info("replication")["master_link_status"] == "up")
        sentinel = stack.enter_context(sentinel_of(master, flavour))
        until(sentinel, lambda client: client.execute_command("SENTINEL", "REPLICAS", "mymaster"))
        url = f"redis+sentinel://127.0.0.1:{sentinel.port}/mymaster"
        queue = stack.enter_context(RedisQueue.from_url(url, broker_timeout=LONG))
        queue.enqueue(a_task("cpu"))
        until(sentinel, failed_over)
        until(replica, lambda client: client.info("replication")["role"] == "master")
        with master.client() as client:
            client.replicaof("127.0.0.1", replica.port)  # as the Sentinel will have it do
        queue.enqueue(task := a_task("cpu"))
        with replica.client() as client:
            assert client.exists(f"peagen.task:{task.id}")


def test_a_server_that_is_read_only_for_a_while_is_waited_for(flavour: Flavour) -> None:
    with ExitStack() as stack:
        other = stack.enter_context(RedisServer(flavour, tcp=True))
        server = stack.enter_context(RedisServer(flavour, tcp=True))
        queue = stack.enter_context(RedisQueue.from_url(server.url, broker_timeout=LONG))
        pool = stack.enter_context(ThreadPoolExecutor())
        with server.client() as client:
            client.replicaof("127.0.0.1", other.port)
            adding = pool.submit(queue.enqueue, a_task("cpu"))
            until(server, lambda client: "errorstat_READONLY" in client.info("errorstats"))
            client.replicaof("no", "one")
        adding.result(LONG)
        assert queue.pending_count() == 1


def test_a_server_that_cannot_save_for_a_while_is_waited_for(flavour: Flavour, tmp_path: Path) -> None:
    (folder := tmp_path / "full").mkdir()
    with ExitStack() as stack:
        options = ["--enable-protected-configs", "yes"]
        server = stack.enter_context(RedisServer(flavour, options=options))
        queue = stack.enter_context(RedisQueue.from_url(server.url, broker_timeout=LONG))
        pool = stack.enter_context(ThreadPoolExecutor())
        with server.client() as client:
            client.config_set("dir", str(folder))
            folder.rmdir()
            client.config_set("save", "3600 1")
            client.bgsave()
            while client.info("persistence")["rdb_last_bgsave_status"] != "err":
                pass
            adding = pool.submit(queue.enqueue, a_task("cpu"))
            while "errorstat_MISCONF" not in client.info("errorstats"):
                pass
            client.config_set("stop-writes-on-bgsave-error", "no")
            client.config_set("save", "")  # it would not end before it has saved
        adding.result(LONG)
        assert queue.pending_count() == 1


def test_a_service_that_no_sentinel_knows_is_an_outage(flavour: Flavour) -> None:
    with RedisServer(flavour, tcp=True) as master, sentinel_of(master, flavour) as sentinel:
        url = f"redis+sentinel://127.0.0.1:{sentinel.port}/other"
        with RedisQueue.from_url(url, broker_timeout=0.3) as queue, pytest.raises(BrokerUnavailable):
            queue.enqueue(a_task("cpu"))


# ---- Cluster ---------------------------------------------------------------------------------------


def member(flavour: Flavour, bus: int) -> RedisServer:
    options = ["--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1", "--cluster-port", str(bus)]
    return RedisServer(flavour, tcp=True, options=options)


@contextmanager
def two_nodes(flavour: Flavour) -> Iterator[Sequence[RedisServer]]:
    """Two nodes of a cluster, each with half of the slots."""
    nodes: list[RedisServer] = []
    buses = free_ports(2)
    with ExitStack() as stack:
        for bus, slots in zip(buses, ((0, 8191), (8192, 16383)), strict=True):
            nodes.append(stack.enter_context(member(flavour, bus)))
            with nodes[-1].client() as client:
                client.execute_command("CLUSTER ADDSLOTSRANGE", *slots)
        with nodes[1].client() as client:
            client.execute_command("CLUSTER MEET", "127.0.0.1", nodes[0].port, buses[0])
        for node in nodes:
            until(node, lambda client: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
            until(node, lambda client: len(client.execute_command("CLUSTER SLOTS")) == 2)
        yield nodes


@pytest.fixture(scope="module")
def cluster(flavour: Flavour) -> Iterator[Sequence[RedisServer]]:
    with two_nodes(flavour) as nodes:
        yield nodes


@pytest.mark.parametrize("prefix", ["{peagen}.", "{a}.", "{b}.", "{c}."])
def test_in_a_cluster_all_keys_of_a_queue_with_a_hash_tag_lie_in_one_slot(
    cluster: Sequence[RedisServer], prefix: str
) -> None:
    for node in cluster:
        with RedisQueue.from_url(node.url, prefix=f"{prefix}{node.port}.") as queue:
            workout(queue)


def test_in_a_cluster_a_prefix_without_a_hash_tag_is_refused_with_what_to_write(
    cluster: Sequence[RedisServer],
) -> None:
    queue = RedisQueue.from_url(cluster[0].url, broker_timeout=0.5)
    with queue, pytest.raises(QueueError) as caught:
        queue.enqueue(a_task("cpu"))
    assert "{peagen}." in str(caught.value)


@pytest.mark.slow
def test_in_a_cluster_a_node_that_died_is_left_for_the_one_that_took_its_slots(flavour: Flavour) -> None:
    with two_nodes(flavour) as nodes, member(flavour, bus := free_ports(1)[0]) as heir:
        for name in "abcdef":  # one of them lies in the slots of the second node
            queue = RedisQueue.from_url(nodes[0].url, prefix=f"{{{name}}}.", broker_timeout=LONG)
            queue.enqueue(task := a_task("cpu"))
            with nodes[1].client() as client:
                if client.keys("{" + name + "}*"):
                    break
            queue.close()
        with nodes[1].client(decode_responses=True) as client, heir.client(decode_responses=True) as other:
            client.execute_command("CLUSTER MEET", "127.0.0.1", heir.port, bus)
            me = client.execute_command("CLUSTER MYID")
            until(
                heir,
                lambda heir: any(
                    me in each for each in str(heir.execute_command("CLUSTER NODES")).split("'")
                ),
            )
            other.execute_command("CLUSTER REPLICATE", me)
            until(heir, lambda heir: heir.info("replication")["master_link_status"] == "up")
        with queue:
            nodes[1].kill()
            until(heir, took_over)
            (claim,) = queue.claim(CPU, "w", timeout=LONG)
            assert claim.task.id == task.id


def took_over(heir: Any) -> bool:
    heir.execute_command("CLUSTER FAILOVER", "TAKEOVER")
    return bool(heir.info("replication")["role"] == "master")
