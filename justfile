# `just ci` is what has to be green; the others are its parts and what one needs every day.

# All of it, as on a clean clone
ci:
    .ci/run

# Format the code
fmt:
    cargo fmt --all

# Clippy and the shell scripts
lint:
    .ci/run shell lint

# Every test: `just test -p cocoon-tl` for some
test *ARGS:
    ./cocoon test {{ARGS}}

# CPU and latency of a network beside its engine: about four minutes, once built
bench *ARGS:
    cargo build --release -p cocoon -p cocoon-bench
    target/release/cocoon-bench {{ARGS}}

# Documentation, without a warning
doc:
    .ci/run doc

# Licences, duplicate and banned crates, advisories
deny:
    .ci/run deny

# A network with a real model, from the sources as they are
dev *ARGS:
    ./cocoon up {{ARGS}}
