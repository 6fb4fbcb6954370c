"""Runs a command with a private PostgreSQL, whose address it finds in RESULTSYNC_TEST_POSTGRES.

    python3 tests/postgres/with_cluster.py -- build/release/src/store_test
"""

import os
import subprocess
import sys

from cluster import Cluster


def main():
    command = sys.argv[sys.argv.index("--") + 1 :]
    # What is tested here is what is said and read, not the disk: fsync would only make it slow.
    with Cluster({"fsync": "off", "full_page_writes": "off"}) as cluster:
        return subprocess.run(command, env={**os.environ, "RESULTSYNC_TEST_POSTGRES": cluster.conninfo}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
