"""The pieces pages are made of, one small `Viewer` each: told what to show, never asking."""
