"""`sam validate --lint`, which asks for a region although it calls nothing."""

import subprocess
import sys

from local import environment
from local.paths import ROOT, TEMPLATE, TOOLS


def main() -> int:
    """Check the template; print what SAM and cfn-lint say only when they object."""
    command = [str(TOOLS / "sam"), "validate", "--lint", "--template-file", str(TEMPLATE)]
    # A region alone: with credentials SAM would look for managed policies in an account.
    command += ["--region", environment.REGION]
    env = environment.sam_build()
    result = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)
    if result.returncode != 0:
        print(result.stdout + result.stderr, file=sys.stderr)
    else:
        print(f"{TEMPLATE.name} is valid.")
    return result.returncode


if __name__ == "__main__":
    sys.exit(main())
