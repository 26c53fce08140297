"""The environment of everything the local cloud starts: written out here, not inherited.

Nothing of the user's AWS account and no API key reaches a child process, so a mistake here can neither deploy to a
real account nor leak a key into a function's environment.
"""

import os
from pathlib import Path

from local.paths import STATE, TOOLS

REGION = "us-east-1"
# Networks that need a proxy or certificates of their own need them in the functions too.
_NETWORK = (
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"),
)
_SYSTEM = ("LANG", "LC_ALL", "TZ", "STILLMOTION_HELD_IN")
_SECRET = ("MODELGATES_API_KEY",)
# Variables that `make run` reads; to the tools that it starts they mean nothing, or something else.
_OURS = ("IMAGE", "LAST_IMAGE", "PROMPT", "MODEL", "DURATION", "CATALOGUE", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")


def _base() -> dict[str, str]:
    kept = {name: os.environ[name] for name in (*_NETWORK, *_SYSTEM) if name in os.environ}
    return kept | {
        "PATH": f"{TOOLS}{os.pathsep}/usr/local/bin{os.pathsep}/usr/bin{os.pathsep}/bin",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def aws(endpoint_url: str) -> dict[str, str]:
    """Variables that point every AWS client at the local cloud and at nothing else."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def ministack(port: int, folder: Path) -> dict[str, str]:
    """MiniStack on one port of the loopback interface, with everything it writes below `folder`.

    Its functions inherit all of this. Docker is pointed at nothing: MiniStack would remove containers of its own kind
    that it finds, and those are not ours. Its SFTP and MQTT listeners use fixed ports, so they stay off.
    """
    return (
        _base()
        | {name: value for name, value in aws(f"http://127.0.0.1:{port}").items() if name != "AWS_ENDPOINT_URL"}
        | {
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "STATE_DIR": str(folder / "state"),
            "S3_DATA_DIR": str(folder / "s3"),
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            # Roles and policies are enforced; the credentials `test` are the account's root.
            "AUTH": "true",
            "MINISTACK_REGION": REGION,
            "DOCKER_HOST": f"unix://{folder / 'no-docker.sock'}",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "POWERTOOLS_TRACE_DISABLED": "true",
            # After a burst it keeps a process of 100 MB for each call; they end when idle for so long.
            "LAMBDA_WARM_TTL_SECONDS": "30",
        }
    )


def simulator(folder: Path) -> dict[str, str]:
    """The simulator: an ordinary Python program."""
    return _base() | {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")}


def sam_build() -> dict[str, str]:
    """`sam build` installs the layer's requirements, so it keeps the user's package settings but nothing of AWS."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "PYTHON", "VIRTUAL_ENV")) and name not in (*_SECRET, *_OURS)
    }
    return kept | _sam() | {"PATH": f"{TOOLS}{os.pathsep}{os.environ.get('PATH', '')}", "AWS_DEFAULT_REGION": REGION}


def sam_deploy(endpoint_url: str, folder: Path) -> dict[str, str]:
    """`sam deploy` against the local cloud; its pause between polls is shorter than its default of 5 s."""
    own = {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"), "SAM_CLI_POLL_DELAY": "0.3"}
    return _base() | aws(endpoint_url) | _sam() | own


def desk(endpoint_url: str, folder: Path) -> dict[str, str]:
    """The shell of somebody who works on the local cloud: the AWS CLI, `stillmotion`, `make`."""
    kept = {name: os.environ[name] for name in ("MAKEFLAGS",) if name in os.environ}
    return kept | _base() | aws(endpoint_url) | {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")}


def _sam() -> dict[str, str]:
    return {
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_BETA_FEATURES": "0",
        "__SAM_CLI_APP_DIR": str(STATE / "sam"),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
