# The image of the manifests in deploy/: peagen-ray and Ray, at the versions of constraints.txt.
#   docker build -t peagen-ray:0.1.0 .

ARG PYTHON=3.11

FROM python:${PYTHON}-slim-bookworm AS build
RUN python -m venv /opt/peagen
WORKDIR /source
# Dependencies first: they change less often than the code, and this layer is kept.
COPY constraints.txt ./
RUN /opt/peagen/bin/pip install --no-cache-dir -c constraints.txt "ray[default]" pyarrow hypothesis
COPY pyproject.toml README.md LICENSE ./
COPY peagen_ray ./peagen_ray
COPY handlers ./handlers
RUN /opt/peagen/bin/pip install --no-cache-dir -c constraints.txt ".[llm,redis]"

# Docker's client, one static program, for workers with an engine beside them (deploy/kuberay-docker).
FROM docker:28-cli AS client

FROM python:${PYTHON}-slim-bookworm
# wget: KubeRay's health checks. tini: reaps processes where peagen-ray itself is the container's first one.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini wget \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home --shell /bin/bash peagen
COPY --from=build /opt/peagen /opt/peagen
COPY --from=client /usr/local/bin/docker /usr/local/bin/docker
COPY benchmarks/artifacts /opt/peagen/examples
ENV PATH=/opt/peagen/bin:$PATH PYTHONUNBUFFERED=1 RAY_USAGE_STATS_ENABLED=0
# A number, so that Kubernetes can tell that it is not root.
USER 1000:1000
WORKDIR /home/peagen
ENTRYPOINT ["tini", "--"]
CMD ["peagen-ray", "--help"]
