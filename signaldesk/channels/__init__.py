"""Channel kinds, one file each: configuration, rendering, sending. Adding a kind is adding a file.

A kind's module names its `CHANNEL`: an instance of `signaldesk.channels.kinds.Channel`.
"""
