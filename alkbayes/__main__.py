"""Entry point of `python -m alkbayes`."""

from alkbayes.cli import main

if __name__ == "__main__":
    main()
