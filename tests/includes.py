#!/usr/bin/python3
"""The include order of the rooms, one way only: hw knows nothing of daemon; pure rooms know nobody but their elders."""
import pathlib
import re
import sys

MAY = {
    "hw": {"hw"},
    "daemon/credential": {"daemon/credential"},
    "daemon/decision": {"daemon/decision", "daemon/credential"},
    "daemon/lane": {"daemon/lane", "daemon/decision", "daemon/credential"},
    "daemon/health": {"daemon/health"},
    "daemon/vision": {"daemon/vision", "hw"},
    "daemon/journal": {"daemon/journal", "daemon/decision", "daemon/credential"},
    "daemon/mqtt": {"daemon/mqtt", "daemon/lane", "daemon/journal", "daemon/decision", "daemon/credential", "daemon/health"},
    "daemon/settings": {"daemon/settings", "daemon/journal", "daemon/lane", "daemon/mqtt", "daemon/vision", "daemon/credential",
                        "daemon/decision", "hw"},
    "daemon/ctl": {"daemon/ctl", "daemon/settings", "daemon/journal", "daemon/mqtt", "daemon/decision", "daemon/credential", "daemon/health",
                   "daemon/vision", "hw"},
}
root = pathlib.Path(__file__).resolve().parent.parent
faults, files = [], 0
for path in sorted([*root.glob("hw/**/*.[ch]"), *root.glob("daemon/*/**/*.[ch]")]):
    folders = path.relative_to(root).parts[:-1]
    room = "/".join(folders[:2])  # a room's sub-folders are its own
    files += 1
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
        if found and "/".join(pathlib.PurePosixPath(found[1]).parent.parts[:2]) not in MAY.get(room, set()):
            faults.append(f"{path.relative_to(root)}:{number}: {room} may not include {found[1]}")
print("\n".join(faults) or f"include order: {files} files keep it")
sys.exit(1 if faults or files < 20 else 0)
