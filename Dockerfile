# Our own images: `--target api` and `--target tpstack` (the operator and CLI). Static binaries and nothing else: no shell,
# no libraries, no user but a number.
#
# The stage `build` leaves its results in /out. A folder of binaries built elsewhere can take its place:
#   docker build --target api --build-context build=target/image .

# The same version as rust-toolchain.toml, which is left out of the context so that rustup downloads nothing more.
FROM rust:1.95.0-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1 AS build
# What to build: `api`, `tpstack`, or both.
ARG BINARIES="api tpstack"
ARG TARGETARCH
RUN apt-get update \
    && apt-get install --yes --no-install-recommends musl-tools=1.2.3-1 \
    && rm -rf /var/lib/apt/lists/*
RUN case "$TARGETARCH" in \
        amd64) machine=x86_64 ;; \
        arm64) machine=aarch64 ;; \
        *) echo "no build for $TARGETARCH: amd64 and arm64 are supported" >&2; exit 1 ;; \
    esac \
    && echo "$machine-unknown-linux-musl" >/musl-target \
    && rustup target add "$(cat /musl-target)"
WORKDIR /src
COPY . .
# The caches are kept apart by architecture: two builds at once must not share a target folder.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,id=tpstack-target-$TARGETARCH,sharing=locked \
    set -eu; \
    target=$(cat /musl-target); \
    export CC_x86_64_unknown_linux_musl=musl-gcc CC_aarch64_unknown_linux_musl=musl-gcc; \
    mkdir /out; \
    for binary in $BINARIES; do \
        case "$binary" in \
            api) package=api ;; \
            tpstack) package=operator ;; \
            *) echo "BINARIES: there is no $binary" >&2; exit 1 ;; \
        esac; \
        cargo build --locked --release --target "$target" --package "$package" --bin "$binary"; \
        cp "target/$target/release/$binary" /out/; \
    done

FROM scratch AS api
LABEL org.opencontainers.image.title="tpstack-api" \
      org.opencontainers.image.description="The reference API of a TpStack" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/api /api
USER 65532:65532
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s CMD ["/api", "healthcheck"]
ENTRYPOINT ["/api"]
CMD ["serve"]

FROM scratch AS tpstack
LABEL org.opencontainers.image.title="tpstack" \
      org.opencontainers.image.description="The TpStack operator and command line" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/tpstack /tpstack
USER 65532:65532
ENTRYPOINT ["/tpstack"]
