"""The pages of the workbench. Each module that defines `PAGE` is one page; the web server finds them.

A page is a Panel `Viewer` made of smaller ones (`parts/`). It holds layout and state only: what it shows it
asks of the protocols in `data`, and what happens it is told by `receive`. So the same parts are drawn by the
server, in a notebook and in a test without either.
"""
