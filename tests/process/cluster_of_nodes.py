"""Several servers that share one Redis. Also by itself: what `./dev cluster` runs."""
import argparse
import signal

from carillon_process import Server
from redis_processes import RedisCluster, RedisServer

# Tests see a lost node and a lost Redis soon.
QUICK = {"CARILLON_PRESENCE_LEASE": "1500ms", "CARILLON_REDIS_COMMAND_TIME": "1s", "CARILLON_REDIS_WAIT_TIME": "500ms",
         "CARILLON_REDIS_CONNECT_TIME": "1s"}


class Nodes:
    """The Redis (or one that was given) and so many servers; node(i) is the i-th, started again by restart(i)."""

    def __init__(self, count=3, redis=None, arguments=(), env=None):
        self.redis = redis or RedisServer()
        self.arguments, self.env = arguments, {**QUICK, **(env or {})}
        self.all = []
        try:
            for _ in range(count):
                self.add()
        except BaseException:
            self.end()
            raise

    def add(self, url=None, listen="127.0.0.1:0"):
        more = ["--set", "redis.cluster=true"] if isinstance(self.redis, RedisCluster) else []
        self.all.append(Server("--listen", listen, *more, *self.arguments, env=self.env, redis=url or self.redis.url))
        return self.all[-1]

    def __getitem__(self, index):
        return self.all[index]

    def __iter__(self):
        return iter(self.all)

    def restart(self, index):
        """Gracefully, at the same address."""
        port = self.all[index].port
        self.all[index].stop()
        last = self.add(listen=f"127.0.0.1:{port}")
        self.all.pop()
        self.all[index] = last
        return last

    def replace(self, index):
        """A new one in the place of one that was killed."""
        last = self.add()
        self.all.pop()
        self.all[index] = last

    def end(self):
        for node in self.all:
            node.kill()
        self.redis.end()


def main():
    parser = argparse.ArgumentParser(prog="./dev cluster", description="Servers that share one Redis, on this machine, until Ctrl-C.")
    parser.add_argument("--nodes", type=int, default=3, help="servers (default 3)")
    parser.add_argument("--port", type=int, default=8080, help="of the first server; the others follow (default 8080; 0: free ones)")
    parser.add_argument("--redis-cluster", action="store_true", help="a Redis Cluster of three masters instead of one Redis")
    parser.add_argument("serve", nargs="*", metavar="-- SERVE-OPTION", help="for every server, such as -- --loops 1")
    flags = parser.parse_args()
    stopped = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stopped)
    redis = RedisCluster() if flags.redis_cluster else RedisServer()
    nodes = Nodes(0, redis, flags.serve, {name: "5s" for name in QUICK})
    try:
        for number in range(flags.nodes):
            node = nodes.add(listen=f"127.0.0.1:{flags.port + number if flags.port else 0}")
            print(f"node {number + 1}: {node.url}", flush=True)
        print(f"""Redis: {redis.url}

Try, in other terminals:
  build/release/carillon sub --url {nodes[-1].url} room:42
  curl {nodes[0].url}/api/publish -d '{{"channel":"room:42","event":"said","data":"hello"}}'
  curl {nodes[0].url}/api/nodes
Ctrl-C stops them all.""", flush=True)
        signal.sigwait(stopped)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, stopped)
        for node in nodes:
            node.stop()
        nodes.end()


if __name__ == "__main__":
    main()
