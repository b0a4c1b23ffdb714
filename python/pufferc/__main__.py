"""`python -m pufferc` is the command line `pufferc`, and tells compilers where headers and libraries are."""

import sys

if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in ("--cmakedir", "--includedir", "--cflags", "--libs"):
        from pufferc.authoring.sdk import main
    else:
        from pufferc.commands.main import main
    sys.exit(main(sys.argv[1:]))
