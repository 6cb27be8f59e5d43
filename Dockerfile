# The HTTP service around the shipped pipeline, for CPUs; nothing is downloaded when it runs.
#   docker build -t selectra .
#   docker run --rm -p 8000:8000 selectra
# Another pipeline: put its directory or wheel beside this file, add it to .dockerignore's
# exceptions, and build with --build-arg PIPELINE=./its_directory --build-arg NAME=es_its_name.

FROM python:3.11-slim AS build
ARG TORCH=torch==2.13.0
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG PIPELINE=./packages/es_selectra_tiny
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PATH=/venv/bin:$PATH
RUN python -m venv /venv
RUN pip install --index-url "$TORCH_INDEX" "$TORCH"
WORKDIR /src
COPY . .
RUN pip install --constraint constraints.txt ".[serve]" "$PIPELINE"

FROM python:3.11-slim
ARG NAME=es_selectra_tiny
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 NAME=$NAME
RUN useradd --system --uid 10001 selectra
COPY --from=build /venv /venv
USER 10001
WORKDIR /tmp
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD \
    ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health', timeout=4)"]
# exec: the service gets the signal to stop, and answers what it has accepted
CMD ["sh", "-c", "exec selectra serve \"$NAME\" --host 0.0.0.0 --port 8000"]
