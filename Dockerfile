# Tidings as an image; docs/deploying.md tells how it is run.
#
#     docker build -t tidings .
#     docker run --read-only --tmpfs /tmp -v "$PWD/my-shop:/srv/tidings" -p 127.0.0.1:8000:8000 tidings
#
# Whatever stands after the image's name is the command: serve, worker, db upgrade, apply --yes, …

FROM debian:bookworm-slim AS builder
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /source
# First what changes seldom: a change of the code fetches nothing anew. Traces are in: there is no pip later.
COPY requirements-otel.lock requirements-build.lock ./
RUN python3 -m venv /opt/tidings && python3 -m venv /opt/build \
    && /opt/tidings/bin/pip install --quiet --no-compile --require-hashes -r requirements-otel.lock \
    && /opt/build/bin/pip install --quiet --require-hashes -r requirements-build.lock
COPY . .
# What nothing here uses goes: headers and sources of libraries, Arrow's ways to S3 and Flight, the towns and
# networks of phone numbers, pip itself. The root file system may be read-only: everything is compiled here,
# and valid whatever the files' times are.
RUN /opt/build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/tidings/bin/pip install --quiet --no-compile --no-deps --no-index /wheels/*.whl \
    && /opt/tidings/bin/pip uninstall --quiet --yes setuptools pip \
    && cd /opt/tidings/lib/python3*/site-packages \
    && rm -rf pyarrow/include pyarrow/includes pyarrow/src pyarrow/tests \
        pyarrow/*flight* pyarrow/*s3* pyarrow/*substrait* phonenumbers/geodata phonenumbers/carrierdata \
    && find . -name '*.pyx' -delete -o -name '*.pxd' -delete -o -name '*.pyi' -delete \
    && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash .

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="Tidings" \
    org.opencontainers.image.description="Campaigns and triggers for a loyalty program" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.documentation="docs/deploying.md"
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/cache/debconf /var/log/* /usr/share/doc/* \
    && groupadd --gid 10001 tidings \
    && useradd --uid 10001 --gid 10001 --home-dir /srv/tidings --create-home --shell /usr/sbin/nologin tidings
COPY --from=builder /opt/tidings /opt/tidings
COPY deploy/docker/healthy.py /opt/tidings/healthy.py
ENV PATH=/opt/tidings/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TIDINGS_WORKSPACE=/srv/tidings
# By number: Kubernetes can tell from it that this is not root.
USER 10001:10001
# The workspace: a volume, or what an image built on this one copies there.
WORKDIR /srv/tidings
# The API and the pages; what watches a worker.
EXPOSE 8000 9464
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["python3", "/opt/tidings/healthy.py"]
# No init beside it: it obeys SIGTERM itself and starts no processes of its own, so none are left to reap.
ENTRYPOINT ["tidings"]
CMD ["serve", "--host", "0.0.0.0"]
