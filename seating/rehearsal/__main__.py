"""`python -m seating.rehearsal`: a separate process, so that gevent can patch all of its sockets."""

from gevent import monkey

monkey.patch_all()

from seating.rehearsal.command import main  # noqa: E402

main()
