#!/usr/bin/env python3
"""Compares `echo N` with `megalith reserve` on kernels booted for it in an emulator. Changes nothing of this host.

usage: kernel-trial.py --kernel VMLINUZ [--modules DIR] --megalith BINARY [--memory 8G] [--case NAME,...] [--keep DIR]

Each row of the table is two boots of the same kernel that were made alike: one asks the pool, the other one runs the command.
`predicted` is what `--dry-run` says is obtainable. Seconds are of the emulated machine: compare them with each other only.
`--list` tells the cases. Wants these Debian packages: qemu-system-x86, busybox-static, cpio, e2fsprogs, gcc, libc6-dev, and a
kernel, for instance

    apt-get download linux-image-6.1.0-56-cloud-amd64 && dpkg -x linux-image-*.deb kernel
    swift build -c release --product megalith --static-swift-stdlib
    Scripts/kernel-trial.py --kernel kernel/boot/vmlinuz-* --modules kernel/lib/modules/* --megalith .build/release/megalith
"""
import argparse
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kernel-trial")
KIB = {"1G": 1 << 20, "2M": 2 << 10}
DISK_MODULES = ["virtio_pci", "virtio_blk"]

CACHE = """
mount -t ext4 /dev/vda /mnt
free=$(awk '/^MemFree/ {print int($2 / 1024)}' /proc/meminfo)
truncate -s $((free - 300))M /mnt/file
cat /mnt/file > /dev/null
"""
LOCKED = """
free=$(awk '/^MemFree/ {print int($2 / 1024)}' /proc/meminfo)
hold locked $((free - 500))
"""
# A pool of small pages nearly everywhere, of which one in each GiB stays mapped; the others are given back.
MAPPED = """
free=$(awk '/^MemFree/ {print int($2 / 2048)}' /proc/meminfo)
echo $((free - 250)) > $(pool 2048)
hold pool $(cat $(pool 2048)) 1024
echo 0 > $(pool 2048)
echo $(sed 's/held //' /tmp/held) > $(pool 2048)
"""
# The same, but nobody uses what is left.
UNUSED = """
free=$(awk '/^MemFree/ {print int($2 / 2048)}' /proc/meminfo)
echo $((free - 250)) > $(pool 2048)
"""


class Case:
    def __init__(self, text, prepare="", asks=(("1G", 2), ("1G", 8)), allow="", cmdline="", machine=()):
        self.text, self.prepare, self.asks, self.allow = text, prepare, asks, allow
        self.cmdline, self.machine = cmdline, list(machine)


TWO_NODES = ["-object", "memory-backend-ram,id=m0,size={half}", "-numa", "node,memdev=m0,cpus=0",
             "-object", "memory-backend-ram,id=m1,size={half}", "-numa", "node,memdev=m1,cpus=1"]
CASES = {
    "fresh": Case("just booted", asks=(("1G", 2), ("1G", 4), ("1G", 8), ("2M", 2000))),
    "fresh-all": Case("just booted", asks=(("2M", 3900),)),
    "nodes": Case("just booted, two nodes", machine=TWO_NODES, asks=(("1G", 4),)),
    "cache": Case("page cache full", CACHE, allow="drop-caches", asks=(("1G", 2), ("1G", 8), ("2M", 2000))),
    "locked": Case("every 8th page locked", LOCKED, allow="drop-caches,offline", asks=(("1G", 4), ("2M", 1500))),
    "mapped": Case("2M pool page mapped in each GiB", MAPPED, (("1G", 2), ("1G", 8)), allow="shrink-pools,offline"),
    "mapped-movable": Case("the same, movablecore=3G", MAPPED, (("1G", 8),), allow="shrink-pools,offline", cmdline="movablecore=3G"),
    "unused": Case("unused 2M pool over all memory", UNUSED, (("1G", 2), ("1G", 8)), allow="shrink-pools,offline"),
}


def run(*command, **options):
    return subprocess.run(command, check=True, **options)


class Initramfs:
    """A root file system with busybox, the command, and its libraries; a case is added to it for each boot."""

    def __init__(self, folder, arguments):
        self.folder = folder
        root = os.path.join(folder, "root")
        os.makedirs(os.path.join(root, "bin"))
        os.makedirs(os.path.join(root, "modules"))
        shutil.copy(arguments.busybox, os.path.join(root, "bin/busybox"))
        shutil.copy(arguments.megalith, os.path.join(root, "bin/megalith"))
        shutil.copy(os.path.join(HERE, "init"), os.path.join(root, "init"))
        os.chmod(os.path.join(root, "init"), 0o755)
        run("cc", "-O1", "-static", "-o", os.path.join(root, "bin/holder"), os.path.join(HERE, "holder.c"))
        for library in re.findall(r"(/\S+) \(0x", run("ldd", arguments.megalith, capture_output=True, text=True).stdout):
            os.makedirs(root + os.path.dirname(library), exist_ok=True)
            shutil.copy(library, root + library)
        order = self.modules(arguments.modules, os.path.join(root, "modules")) if arguments.modules else []
        with open(os.path.join(root, "modules/order"), "w") as file:
            file.write("\n".join(order) + "\n")
        self.base = self.pack(root)

    @staticmethod
    def modules(folder, target):
        """Copies what the disk needs, unpacked, and says in which order it is loaded; what is missing is built in."""
        found = {}
        for path, _, names in os.walk(folder):
            for name in names:
                if ".ko" in name:
                    found[name.split(".ko")[0].replace("-", "_")] = os.path.join(path, name)
        order = []

        def add(name):
            if name not in found or name + ".ko" in order:
                return
            with open(found[name], "rb") as file:
                content = file.read()
            if found[name].endswith(".xz"):
                content = lzma.decompress(content)
            for needed in re.findall(rb"\0depends=([^\0]*)", content):
                for other in filter(None, needed.decode().split(",")):
                    add(other.replace("-", "_"))
            with open(os.path.join(target, name + ".ko"), "wb") as file:
                file.write(content)
            order.append(name + ".ko")

        for name in DISK_MODULES:
            add(name)
        return order

    @staticmethod
    def pack(root):
        names = [os.path.relpath(os.path.join(path, name), root) for path, folders, files in os.walk(root) for name in folders + files]
        return run("cpio", "-o", "-H", "newc", "--quiet", cwd=root, input="\n".join(sorted(names)).encode(), capture_output=True).stdout

    def with_case(self, text):
        folder = tempfile.mkdtemp(dir=self.folder)
        with open(os.path.join(folder, "case"), "w") as file:
            file.write(text)
        path = os.path.join(self.folder, "initramfs")
        with open(path, "wb") as file:
            file.write(self.base + self.pack(folder))
        return path


class Answers:
    """What a guest told: words by key, and whole files."""

    def __init__(self, text):
        self.words = {}
        self.files = {}
        name, lines = None, []
        for line in text.replace("\r", "").splitlines():
            if line.startswith("@@begin "):
                name, lines = line.split()[1], []
            elif line == "@@end":
                self.files[name] = "\n".join(lines).strip()
                name = None
            elif name:
                lines.append(line)
            elif line.startswith("@@ "):
                key, _, rest = line[3:].partition(" ")
                self.words[key] = rest

    def json(self, name):
        try:
            return json.loads(self.files.get(name, ""))
        except ValueError:
            return None

    def seconds(self):
        start, end = self.words.get("seconds", "0 0").split()
        return float(end) - float(start)


class Guest:
    def __init__(self, arguments, initramfs, folder):
        self.arguments, self.initramfs, self.folder = arguments, initramfs, folder
        self.disk = os.path.join(folder, "disk")
        with open(self.disk, "wb") as file:
            file.truncate(64 << 20)
        run("/sbin/mke2fs", "-q", "-F", "-t", "ext4", self.disk)
        self.boots = 0

    def boot(self, case, text):
        """Boots until the first process runs: emulators fail some kernels now and then before that."""
        for _ in range(4):
            answers = self.try_to_boot(case, text)
            if "started" in answers.words:
                break
            print("that was before the first process; once more", file=sys.stderr)
        return answers

    def try_to_boot(self, case, text):
        self.boots += 1
        console, results = (os.path.join(self.folder, f"{self.boots}.{name}") for name in ("console", "results"))
        for path in (console, results):
            open(path, "w").close()
        size = int(self.arguments.memory[:-1]) << 10
        machine = [item.format(half=f"{size // 2}M") for item in case.machine]
        command = ["qemu-system-x86_64", "-accel", self.arguments.accel, "-cpu", self.arguments.cpu, "-smp", self.arguments.processors,
                   "-m", self.arguments.memory, *machine, "-display", "none", "-no-reboot", "-nodefaults",
                   "-serial", "file:" + console, "-serial", "file:" + results,
                   "-drive", f"file={self.disk},format=raw,if=virtio,snapshot=on",
                   "-kernel", self.arguments.kernel, "-initrd", self.initramfs.with_case(text),
                   "-append", f"console=ttyS0 panic=-1 nokaslr {case.cmdline}"]
        try:
            run(*command, timeout=self.arguments.timeout, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            print(f"the guest took more than {self.arguments.timeout} s; its console is {console}", file=sys.stderr)
        with open(results, errors="replace") as file:
            answers = Answers(file.read())
        with open(console, errors="replace") as file:
            panic = re.search(r"Kernel panic[^\r\n]*", file.read())
        if panic:
            answers.words["gave"] = "panic"
            print(panic.group(), file=sys.stderr)
        elif "done" not in answers.words:
            print(f"the guest did not come to its end; its console is {console}", file=sys.stderr)
        return answers


def allowed(case):
    return "--allow " + case.allow if case.allow else ""


def steps_of(report):
    done = [step for step in report["steps"] if step["outcome"] != "skipped"]
    return ", ".join(f"{step['step']} +{sum(step['gain'].values())}" for step in done)


def compare(guest, case):
    for size, count in case.asks:
        request, kib = f"{size}:+{count}", KIB[size]
        before = f"{case.prepare}\npredict {request} '{allowed(case)}'\n"
        kernel = guest.boot(case, before + f"by_kernel {kib} {count}\n")
        megalith = guest.boot(case, before + f"by_megalith {kib} {count} {request} '{allowed(case)}'\n")
        plans = [answers.json("plan") for answers in (kernel, megalith)]
        promises = [str(plan["goals"][0]["obtainable"]) if plan else "?" for plan in plans]
        report = megalith.json("report")
        print(f"| {case.text} | {count} of {size} | {' / '.join(promises)} | {kernel.words.get('gave')} | {megalith.words.get('gave')} | "
              f"{kernel.seconds():.1f} | {megalith.seconds():.1f} | {steps_of(report) if report else '?'} |", flush=True)


def ends(guest, case):
    """Signals at several moments of the step offline: what was there before must be there afterwards."""
    print("\n| signal | after, s | blocks offline then | left by it | exit code | of undo | different afterwards |\n|---|---|---|---|---|---|---|")
    for signal in ("INT", "KILL"):
        for delay in (0, 0.5, 2, 4):
            answers = guest.boot(case, f"{case.prepare}\nend_by {signal} {delay} 1G:+8 '{allowed(case)}'\n")
            words = answers.words
            different = answers.files.get("difference", "?").splitlines()
            print(f"| {signal} | {delay} | {words.get('offline')} | {words.get('left')} | {words.get('code')} | {words.get('undo', '-')} | "
                  f"{'; '.join(different) or 'nothing'} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel")
    parser.add_argument("--modules")
    parser.add_argument("--megalith")
    parser.add_argument("--busybox", default="/bin/busybox")
    parser.add_argument("--memory", default="8G")
    parser.add_argument("--accel", default="tcg,thread=multi")
    parser.add_argument("--cpu", default="max")
    parser.add_argument("--processors", default="2")
    parser.add_argument("--timeout", type=int, default=300)
    parser.add_argument("--case", default=",".join([*CASES, "ends"]))
    parser.add_argument("--keep", help="a folder for what the guests wrote")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    if arguments.list:
        for name, case in CASES.items():
            print(f"{name:16} {case.text}")
        print(f"{'ends':16} stopped and killed in the middle of 'offline', the state of 'mapped'")
        return
    if not arguments.kernel or not arguments.megalith:
        parser.error("--kernel and --megalith are needed")
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or temporary
        os.makedirs(folder, exist_ok=True)
        guest = Guest(arguments, Initramfs(temporary, arguments), folder)
        print("| state | asked | predicted in each boot | kernel gave | megalith gave | kernel, s | megalith, s | steps |\n|---|---|---|---|---|---|---|---|")
        for name in arguments.case.split(","):
            if name == "ends":
                ends(guest, CASES["mapped"])
            else:
                compare(guest, CASES[name])


if __name__ == "__main__":
    main()
