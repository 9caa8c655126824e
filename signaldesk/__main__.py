"""`python -m signaldesk` is the command `signaldesk`."""

from signaldesk.cli import main

if __name__ == "__main__":
    main()
