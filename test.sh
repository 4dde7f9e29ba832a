#!/usr/bin/env bash
# Every test of the repository. Needs the .NET 10 SDK; tests that need more say so and are skipped where it is missing.
set -euo pipefail
cd "$(dirname "$0")"
dotnet test --solution LlavaCluster.sln -c Release "$@"
