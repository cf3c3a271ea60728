# One image for all parts. The command says which: web (the default), worker, cron, migrate, or one of the operator's.

# For a build that is the same next year, give it with its digest: --build-arg PYTHON=python:…@sha256:…
ARG PYTHON=python:3.11.14-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
COPY setup.cfg pyproject.toml README.md LICENSE wsgi.py gunicorn.conf.py ./
COPY seating seating
COPY workers workers
COPY migrations migrations
# In place, because wsgi.py, gunicorn.conf.py and migrations/ are looked for beside the package.
RUN python -m venv .venv \
    && .venv/bin/pip install --editable . \
    && .venv/bin/python -m compileall -q seating workers migrations wsgi.py

FROM ${PYTHON}
RUN useradd --user-group --uid 10001 --no-create-home --home-dir /nonexistent seating \
    && install -d -m 700 -o seating -g seating /data
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 SEATING_DATA_DIR=/data
# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
EXPOSE 3000
ENTRYPOINT ["seating"]
CMD ["web"]
