# The ASGI host: every transaction in one process, bodies of any size. From the repository's folder:
#   docker build --tag dicomweb .
FROM python:3.13-slim AS build

COPY layers/dependencies/requirements.txt /requirements/dependencies.txt
COPY layers/imaging/requirements.txt /requirements/imaging.txt
COPY container/requirements.txt /requirements/server.txt
# The locks are complete: nothing is resolved, and nothing is compiled from source.
RUN pip install --no-cache-dir --no-compile --no-deps --only-binary :all: --target /dependencies \
        --requirement /requirements/dependencies.txt \
        --requirement /requirements/imaging.txt \
        --requirement /requirements/server.txt

COPY layers/dicomweb/dicomweb /app/dicomweb
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash /dependencies /app

FROM python:3.13-slim

# What arrives waits here, the one folder that is written to. ECS gives a volume the owner that the image's has.
RUN install --directory --owner 10001 --group 10001 --mode 0700 /scratch
VOLUME ["/scratch"]

COPY --from=build /dependencies /dependencies
COPY --from=build /app /app

ENV PYTHONPATH=/app:/dependencies \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TMPDIR=/scratch

USER 10001:10001
EXPOSE 8080

HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/health', timeout=4)"]

# No access log: query strings have patients' names. A load balancer keeps its connections for 900 s: were it us who
# closes one, a request could be lost on it. SIGTERM lets requests end; ECS waits 120 s at most.
CMD ["python", "-m", "uvicorn", "--factory", "dicomweb.api.asgi:make_app", "--host", "0.0.0.0", "--port", "8080", \
     "--no-access-log", "--no-server-header", "--timeout-keep-alive", "910", "--timeout-graceful-shutdown", "110"]
