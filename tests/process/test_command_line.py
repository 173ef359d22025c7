"""The program's words: sub, pub, history, check-config, version, and their help."""
import json

import pytest

from carillon_process import run_program, wait_until
from talking import Client


def events(program):
    return [json.loads(line) for line in list(program.out) if line.startswith("{")]


def is_subscribed(server):
    return lambda: server.stats()["total_subscriptions"] >= 1


def test_sub_prints_what_pub_publishes(start, launch):
    server = start()
    sub = launch("sub", "--url", server.url, "room:x")
    wait_until(is_subscribed(server))
    pub = run_program("pub", "--url", server.url, "room:x", "new_msg", '{"text":"hi"}')
    assert pub.returncode == 0, pub.stderr
    (event,) = wait_until(lambda: events(sub))
    assert (event["channel"], event["event"], event["data"]) == ("room:x", "new_msg", {"text": "hi"})


def test_sub_resumes_after_its_connection_was_lost(start, launch):
    server = start()
    sub = launch("sub", "--url", server.url, "room:x")
    wait_until(is_subscribed(server))
    server.publish("room:x", data=1)
    wait_until(lambda: events(sub))
    (session,) = server.sessions()
    server.call("DELETE", f"/api/sessions/{session['id']}")
    server.publish("room:x", data=2)
    server.publish("room:x", data=3)
    wait_until(lambda: len(events(sub)) >= 3, 20)
    assert [event["data"] for event in events(sub)] == [1, 2, 3]


def test_sub_comes_back_to_a_restarted_server(launch, start):
    first = start()
    sub = launch("sub", "--url", first.url, "room:x")
    wait_until(is_subscribed(first))
    first.stop()
    second = start("--listen", f"127.0.0.1:{first.port}")
    wait_until(is_subscribed(second), 30)
    second.publish("room:x", data="after")
    wait_until(lambda: "after" in [event["data"] for event in events(sub)])


def test_history(start):
    server = start()
    for number in range(3):
        server.publish("room:x", data=number)
    ended = run_program("history", "--url", server.url, "room:x")
    assert ended.returncode == 0, ended.stderr
    assert [json.loads(line)["data"] for line in ended.stdout.splitlines()] == [0, 1, 2]


def test_pub_to_nobody_there_fails_clearly(start):
    server = start()
    server.stop()
    ended = run_program("pub", "--url", server.url, "room:x", "e", "1")
    assert ended.returncode == 1 and len(ended.stderr.strip().splitlines()) == 1 and str(server.port) in ended.stderr


def test_pub_of_broken_json_fails_clearly(start):
    ended = run_program("pub", "--url", start().url, "room:x", "e", "{broken")
    assert ended.returncode != 0 and ended.stderr.strip()


def test_check_config_accepts_a_good_file(tmp_path):
    file = tmp_path / "carillon.toml"
    file.write_text('[server]\nlisten = "127.0.0.1:9000"\n[limits]\nrequest_time = "5s"\n[[channels]]\nmatch = "room:*"\nhistory_count = 10\n')
    ended = run_program("check-config", str(file))
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("text,line,words", [
    ('[server]\nlisten = "127.0.0.1:80"\n[limits]\nreqest_time = "5s"\n', 4, ["reqest_time", "request_time"]),
    ('[limit]\nrequest_time = "5s"\n', 1, ["limit", "limits"]),
    ('[limits]\nrequest_time = "soon"\n', 2, ["request_time", "soon"]),
    ('[limits]\nconnections_max = "many"\n', 2, ["connections_max"]),
    ('[limits]\nslow_consumer = "clos"\n', 2, ["clos", "close"]),
    ('[server\n', 1, []),
])
def test_check_config_names_line_and_remedy(tmp_path, text, line, words):
    file = tmp_path / "carillon.toml"
    file.write_text(text)
    for ended in (run_program("check-config", str(file)), run_program("serve", "--memory", "--listen", "127.0.0.1:0", "--config", str(file))):
        said = ended.stdout + ended.stderr
        assert ended.returncode == 1 and f"carillon.toml:{line}" in said, said
        for word in words:
            assert word in said, said


def test_missing_config_file(tmp_path):
    ended = run_program("serve", "--memory", "--config", str(tmp_path / "none.toml"))
    assert ended.returncode == 1 and "none.toml" in ended.stderr


def test_wrong_environment_is_refused():
    ended = run_program("serve", "--memory", "--listen", "127.0.0.1:0", env={"CARILLON_LIMITS_REQUEST_TIME": "soon"})
    assert ended.returncode == 1 and "CARILLON_LIMITS_REQUEST_TIME" in ended.stderr


def test_flag_wins_over_environment_wins_over_file(start, tmp_path):
    file = tmp_path / "carillon.toml"
    file.write_text("[limits]\nsubscriptions_per_client = 1\n")

    def may_subscribe(server):
        client = Client(server)
        count = 0
        while count < 5 and client.ask({"type": "subscribe", "channel": f"room:{count}"})["type"] == "subscribed":
            count += 1
        client.shake_close()
        return count

    assert may_subscribe(start("--config", str(file))) == 1
    assert may_subscribe(start("--config", str(file), env={"CARILLON_LIMITS_SUBSCRIPTIONS_PER_CLIENT": "2"})) == 2


def test_version():
    ended = run_program("version")
    assert ended.returncode == 0 and "0.1.0" in ended.stdout


@pytest.mark.parametrize("word", [[], ["serve"], ["pub"], ["sub"], ["history"], ["presence"], ["check-config"], ["bench"], ["bench", "channels"], ["bench", "presence"],
                                  ["version"]])
def test_help(word):
    ended = run_program(*word, "--help")
    assert ended.returncode == 0 and len(ended.stdout) > 100 and not ended.stderr


def test_unknown_word_and_flag():
    for arguments in (["ring"], ["serve", "--no-such-flag"], ["pub"]):
        ended = run_program(*arguments)
        assert ended.returncode not in (0, -6, -11) and ended.stderr.strip()


def test_bench_runs_against_a_server(start):
    ended = run_program("bench", "--help")
    assert "subscribers" in ended.stdout.lower() or "clients" in ended.stdout.lower()
