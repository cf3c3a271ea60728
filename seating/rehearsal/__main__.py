"""`python -m seating.rehearsal`: a process of its own, so that every socket in it waits as greenlets do."""

from gevent import monkey

monkey.patch_all()

from seating.rehearsal.command import main  # noqa: E402

main()
