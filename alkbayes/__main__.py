"""`python -m alkbayes` is the command line."""

from alkbayes.cli import main

if __name__ == "__main__":
    main()
