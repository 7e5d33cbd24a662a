# syntax=docker/dockerfile:1
# The engine and the plugins that are shipped with it, for linux/amd64 and linux/arm64:
#
#   docker buildx build --platform linux/amd64,linux/arm64 -t IMAGE \
#     --build-arg VERSION=$(git describe --tags --always) --build-arg COMMIT=$(git rev-parse HEAD) .
#
# The image has no shell, runs as uid 65532 and needs no writable root: see docs/quickstart.md.

ARG GO_IMAGE=golang:1.26.8-bookworm
# The same Debian as above: the engine needs its C library. For builds that can be repeated to the
# byte, give both by digest.
ARG RUNTIME_IMAGE=gcr.io/distroless/base-debian12:nonroot

# The compiler runs on the machine's own processor and builds for the other: no emulation.
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
ARG BUILDARCH
ARG TARGETARCH
COPY scripts/image-compiler.sh /src/scripts/
WORKDIR /src
RUN scripts/image-compiler.sh "$BUILDARCH" "$TARGETARCH"

COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod,id=go-mod \
    go mod download

COPY scripts/image-build.sh scripts/
# The engine carries the source of the SDK, for `engine plugins new`.
COPY source.go LICENSE ./
COPY proto proto
COPY sdk sdk
COPY plugins plugins
COPY engine engine
ARG VERSION=devel
ARG COMMIT=unknown
RUN --mount=type=cache,target=/go/pkg/mod,id=go-mod \
    --mount=type=cache,target=/root/.cache/go-build,id=go-build \
    scripts/image-build.sh "$TARGETARCH" /out "$VERSION" "$COMMIT"

FROM ${RUNTIME_IMAGE} AS engine
ARG VERSION=devel
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="Datadis engine" \
      org.opencontainers.image.description="Gathers the data of many Datadis users, once, for many projects" \
      org.opencontainers.image.source="https://github.com/datadis-engine/datadis" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}"

COPY --from=build /out/engine /opt/datadis/engine
COPY --from=build /out/plugins /opt/datadis/plugins

# By number, so that Kubernetes can see that it is not root.
USER 65532:65532
# Plugins put their sockets here, local mode its data below: mount what shall be writable.
ENV TMPDIR=/tmp
WORKDIR /var/lib/datadis
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/datadis/engine"]
CMD ["--help"]
