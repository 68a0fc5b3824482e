# One who knows nothing of Holdfast: fcntl.flock of Python, or (how: "held") the
# child of flock(1), which has taken the lock. Says so with the same words.
import errno
import fcntl
import json
import os
import random
import struct
import sys
import time

task = json.loads(sys.argv[1])
random.seed(task["seed"])
state = os.open(task["state"], os.O_RDWR)
words = os.open(task["words"], os.O_RDWR | os.O_CREAT, 0o600)
counters = os.open(task["counters"], os.O_RDWR)
seats, mine, seat = task["seats"], task["id"], task["seat"]
SLOTS = 3


def get(fd, index):
    return struct.unpack("<d", os.pread(fd, 8, index * 8).ljust(8, b"\0"))[0]


def put(fd, index, value):
    os.pwrite(fd, struct.pack("<d", value), index * 8)


def append(path, line):
    with open(path, "a") as file:
        file.write(line + "\n")


def log(text):
    append(task["log"], "%d foreign pid %d id %d: %s" % (time.time() * 1000, os.getpid(), mine, text))


def accuse(detail):
    line = {"at": int(time.time() * 1000), "kind": "exclusion", "lock": task["lock"]}
    append(task["violations"], json.dumps({**line, "id": mine, "pid": os.getpid(), "detail": detail}))
    sys.exit(9)


def count(name):
    index = seat * task["room"] + task["names"].index(name)
    put(counters, index, get(counters, index) + 1)


def dead(identity):
    return identity <= get(state, int(identity % seats) * 8)


def settle(index):
    found = get(words, index)
    end = time.monotonic() + 5
    while found != 0 and not dead(found):
        if (get(words, index) != found and not dead(found)) or time.monotonic() > end:
            accuse("%d is inside (word %d)" % (found, index))
        time.sleep(0.002)
    if found != 0 and get(words, index) == found:
        put(words, index, 0)


def look(exclusive):
    owner = get(words, 0)
    if owner != (mine if exclusive else 0):
        accuse("the owner's word is %d" % owner)
    if exclusive:
        slots = os.pread(words, seats * 8, SLOTS * 8)
        if any(slots):
            accuse("a reader is inside")
    elif get(words, SLOTS + seat) != mine:
        accuse("the reader's slot is not its own")


def stay(exclusive):
    log("enters, " + ("exclusive" if exclusive else "shared"))
    settle(0)
    if exclusive:
        for index in range(seats):
            settle(SLOTS + index)
        put(words, 2, get(words, 2) + 1)
    put(words, 0 if exclusive else SLOTS + seat, mine)
    put(state, task["progress"], int(time.time() * 1000))
    count("foreign exclusive" if exclusive else "foreign shared")
    for _ in range(random.randint(1, 4)):
        look(exclusive)
        time.sleep(random.choice([0, 0, 0.001, 0.005, 0.02]))
    look(exclusive)
    put(words, 0 if exclusive else SLOTS + seat, 0)
    log("leaves")


if task["how"] == "held":
    stay(task["exclusive"])
    sys.exit(0)
lock = os.open(task["path"], os.O_RDWR | os.O_CREAT, 0o600)
for _ in range(task["turns"]):
    while get(state, task["resting"]) != 0:
        time.sleep(0.02)
    exclusive = random.random() < 0.5
    operation = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    try:
        fcntl.flock(lock, operation | (fcntl.LOCK_NB if random.random() < 0.4 else 0))
        stay(exclusive)
        fcntl.flock(lock, fcntl.LOCK_UN)
    except OSError as error:
        if error.errno != errno.EAGAIN:
            raise
        count("foreign refused")
    time.sleep(random.choice([0, 0.005, 0.03, 0.1]))
