"""`python -m evalkit` is the same as the `evalkit` command."""

from evalkit.cli.main import main

if __name__ == "__main__":
    main()
