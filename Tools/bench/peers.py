"""What others do with the same images: restic, borg, qemu-img, rsync. Each step as a line for bash."""
import os
import shutil

ENVIRONMENT = {
    "RESTIC_PASSWORD": "x", "BORG_PASSPHRASE": "x", "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
    "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes", "BORG_CHECK_I_KNOW_WHAT_I_AM_DOING": "YES",
    "BORG_DELETE_I_KNOW_WHAT_I_AM_DOING": "YES",
}
# Steps in this order; a peer that lacks one does not offer it. `incremental` comes after 2 % of the image changed in place.
STEPS = ("full", "incremental", "restore", "verify", "prune")
PEERS = {
    "restic": {
        "program": "restic", "init": "restic -q -r {repo} init", "full": "restic -q -r {repo} backup {image}",
        "incremental": "restic -q -r {repo} backup {image}",
        "restore": "restic -q -r {repo} restore latest --target {out} && mv {out}{image} {out}/image",
        "verify": "restic -q -r {repo} check --read-data",
        "prune": "restic -q -r {repo} forget --keep-last 1 --prune",
    },
    "borg": {
        "program": "borg", "init": "borg init -e none {repo}", "full": "borg create -C lz4 --sparse {repo}::a {image}",
        "incremental": "borg create -C lz4 --sparse {repo}::b {image}",
        "restore": "cd {out} && borg extract --sparse {repo}::b && mv {out}{image} {out}/image",
        "verify": "borg check --verify-data {repo}", "prune": "borg delete {repo}::a && borg compact {repo}",
    },
    "qemu-img raw": {
        "program": "qemu-img", "init": "mkdir {repo}", "full": "qemu-img convert -f raw -O raw {image} {repo}/0",
        "restore": "qemu-img convert -f raw -O raw {repo}/0 {out}/image",
    },
    "qemu-img qcow2": {
        "program": "qemu-img", "init": "mkdir {repo}", "full": "qemu-img convert -f raw -O qcow2 {image} {repo}/0",
        "restore": "qemu-img convert -f qcow2 -O raw {repo}/0 {out}/image",
    },
    "qemu-img qcow2 zstd": {
        "program": "qemu-img", "init": "mkdir {repo}",
        "full": "qemu-img convert -f raw -O qcow2 -c -o compression_type=zstd -m 2 -W {image} {repo}/0",
        "restore": "qemu-img convert -f qcow2 -O raw {repo}/0 {out}/image",
    },
    "rsync": {
        # -I: its quick check passes over an image that changed within the second.
        "program": "rsync", "init": "mkdir {repo}", "full": "rsync -S {image} {repo}/0",
        "incremental": "rsync -I --inplace --no-whole-file {image} {repo}/0",
        "restore": "rsync -S --whole-file {repo}/0 {out}/image",
    },
}


def environment(home):
    return {**os.environ, **ENVIRONMENT, "HOME": home, "RESTIC_CACHE_DIR": home, "BORG_BASE_DIR": home, "XDG_CACHE_HOME": home}


def missing():
    """Peers that are not installed."""
    return sorted({peer["program"] for peer in PEERS.values() if not shutil.which(peer["program"])})
