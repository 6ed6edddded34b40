# The native operator: built by itself, so that neither compiler nor headers reach the image.
FROM python:3.13-slim-trixie AS kernels
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends g++ cmake ninja-build >/dev/null
WORKDIR /build
COPY constraints/kernels.txt constraints/
COPY kernels kernels
RUN kernels/headers onnxruntime \
    && ONNXRUNTIME_HEADERS=/build/onnxruntime PIP_BUILD_CONSTRAINT=/build/constraints/kernels.txt \
    pip wheel --no-cache-dir --no-deps -w wheels ./kernels

FROM python:3.13-slim-trixie AS packages
# cpu, or gpu: onnxruntime-gpu with its CUDA and cuDNN packages
ARG PROVIDER=cpu
# otel: what exporting to an OpenTelemetry collector needs; grpc: what LARNN_GRPC_PORT needs;
# s3, hf, mlflow: what fetching models from there needs; capture: what LARNN_CAPTURE needs
ARG EXTRAS=
WORKDIR /build
RUN python -m venv --without-pip /venv
COPY pyproject.toml ./
COPY constraints constraints
RUN python constraints/needs.py service "$PROVIDER" $EXTRAS > needs.txt \
    && pip --python /venv/bin/python install --no-cache-dir -c "constraints/$PROVIDER.txt" -c constraints/otel.txt -c constraints/grpc.txt -c constraints/sources.txt -c constraints/capture.txt -r needs.txt
COPY --from=kernels /build/wheels wheels
RUN pip --python /venv/bin/python install --no-cache-dir --no-deps wheels/*.whl
WORKDIR /app
COPY wheels/uplot.py wheels/
COPY service/larnn_service/web service/larnn_service/web
# Where the tree has no uPlot and npm reaches no registry, the live page has no charts.
RUN python wheels/uplot.py || echo "built without the live page's charts"; rm -r wheels
COPY service service
# web/client leads there
COPY clients clients
COPY LICENSE NOTICE ./
# The root file system is read-only when this runs: bytecode is written now or never.
RUN python -m compileall -q --invalidation-mode unchecked-hash service

FROM python:3.13-slim-trixie
# Where a volume for streams is put, or for models that are fetched: what Docker makes of it has
# this owner.
RUN install -d -o 10001 -g 10001 /var/lib/larnn
COPY --from=packages /venv /venv
COPY --from=packages /app /app
WORKDIR /app
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LARNN_HOST=0.0.0.0 \
    LARNN_PORT=8000 \
    LARNN_MODELS=/app/models \
    LARNN_MODELS_CACHE=/var/lib/larnn/models \
    HOME=/var/lib/larnn
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=15s --start-period=60s --retries=3 \
    CMD ["python", "-S", "-c", "import http.client, os, ssl, sys; at = '127.0.0.1:' + os.environ['LARNN_PORT']; door = http.client.HTTPSConnection(at, timeout=10, context=ssl._create_unverified_context()) if 'LARNN_TLS_CERT' in os.environ else http.client.HTTPConnection(at, timeout=10); door.request('GET', '/readyz'); sys.exit(door.getresponse().status != 200)"]
CMD ["python", "-m", "service"]
