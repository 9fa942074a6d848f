"""A stand-in for Docker, for scripts that are cut off at each of its calls: it keeps in a file which containers run.

The file STAND_IN_STATE says besides what is to happen: images that never get ready, looks at a web that are missed, calls
that fail, and the call at which the script is killed.
"""

import json
import os
import re
import signal
import sys
from pathlib import Path

STATE = Path(os.environ["STAND_IN_STATE"])
ALL = ["nginx", "web-1", "web-2", "worker-1", "worker-2", "db", "db-replica", "log", "cache", "backup", "certbot"]


def image_of(service: str) -> str:
    """What compose.yaml would start: the environment wins over .env."""
    name = "BACKUP_IMAGE" if service == "backup" else "VOTE_IMAGE"
    lines = re.findall(rf"^{name}=(.*)$", Path(".env").read_text("utf-8"), re.MULTILINE)
    return os.environ.get(name) or (lines[-1] if lines else "")


def is_ready(state: dict, web: str) -> bool:
    return web in state["running"] and state["running"][web] not in state["never_ready"]


def compose(state: dict, command: str, words: list[str], said: str) -> int:
    if command == "ps":
        named = [word for word in words if not word.startswith("--")]
        print(*(f"id-{one}" for one in state["running"] if not named or one in named), sep="\n")
        if named == ["migrate"]:
            print("id-migrate")
    elif command == "up":
        for one in [word for word in words if word in (*ALL, "migrate")] or ALL:
            state["running"][one] = image_of(one)
    elif command == "stop":
        for one in words:
            state["running"].pop(one, None)
    elif command in ("config", "run"):
        answers = {
            "config": "name: vote",
            "admin create": "Created admin",
            "vote restore": "Restored backup 1",
        }
        print(*(answer for part, answer in answers.items() if part in said))
    elif command == "exec":
        return execute(state, words[1], said)
    return 0


def execute(state: dict, service: str, said: str) -> int:
    if service not in state["running"]:
        return 1
    if service.startswith("web") and "/ready" in said:
        if state["missed_looks"].get(service, 0) > 0:
            state["missed_looks"][service] -= 1
            return 1
        return 0 if is_ready(state, service) else 1
    if service == "nginx" and "sed -i" in said:
        web = said.rsplit(maxsplit=1)[-1]
        state["down"] = sorted({*state["down"], web} if " down;/" in said else {*state["down"]} - {web})
    return 0


def main() -> int:
    state, words = json.loads(STATE.read_text("utf-8")), sys.argv[1:]
    said = " ".join(words)
    state["calls"].append(said)
    number, code = len(state["calls"]), 0
    if any(part in said for part in state["failing"]):
        code = 1
    elif words[:2] == ["version", "--format"]:
        print("27.0.1")
    elif words[:2] == ["compose", "version"]:
        print("2.30.0")
    elif words[:2] == ["container", "inspect"]:
        print("0" if "ExitCode" in said else "exited")
    elif words[0] == "run" and "secrets generate" in said:
        print('{"settings": {"BACKUP_RECIPIENT": "age1abc", "CHECKPOINT_PUBLIC_KEY": "public"}}')
    elif words[:2] == ["compose", "--progress"]:
        code = compose(state, words[3], words[4:], said)
    serving = [web for web in ("web-1", "web-2") if is_ready(state, web) and web not in state["down"]]
    state["serving"].append(serving)
    new = STATE.with_suffix(".new")
    new.write_text(json.dumps(state), "utf-8")
    new.rename(STATE)
    if number == state.get("kill_at"):
        os.kill(int((STATE.parent / "pid").read_text("utf-8")), signal.Signals[f"SIG{state['kill_with']}"])
    return code


sys.exit(main())
