"""Our own pages: plain HTML that asks nothing of any other server and runs no script."""
