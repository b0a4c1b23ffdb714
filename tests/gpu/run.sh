#!/usr/bin/env bash
# Everything that needs a GPU, in one command of at most six minutes on an H200 and sixteen CPU cores.
#
#   tests/gpu/run.sh [--out FOLDER] [--arch 90] [--host BUILD] [--help]
#
# Builds for one architecture, then: golden hashes of every game on the device, compute-sanitizer on small sizes, times of
# the advantage kernel in 40 shapes, steps/s of every game, Breakout to its target score on three seeds, training speed.
# Python parts need a torch with CUDA and pufferc installed with its CUDA module (pip install '.[train]' --config-settings
# cmake.define.PUFFERC_CUDA=ON); without them they are left out. Nothing is downloaded.
#
# FOLDER (default build/gpu-results) gets results.jsonl, results.json and table.txt. Exit code 1 if a part fails or a
# target is missed, 2 without a GPU.
#
# --host BUILD tests this script without a GPU: it takes the programs of that CMake build (build/dev), whose device is the
# processor, at tiny sizes. Its times say nothing about a GPU.
set -uo pipefail

usage() { sed -n '2,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//'; }
fail() { echo "run.sh: $*" >&2; exit 2; }

root=$(cd "$(dirname "$0")/../.." && pwd)
out=$root/build/gpu-results arch=90 host=""
while [ $# -gt 0 ]; do
  case $1 in
    --help) usage; exit 0 ;;
    --out | --arch | --host)
      [ $# -ge 2 ] || fail "$1: expected a value"
      case $1 in --out) out=$2 ;; --arch) arch=$2 ;; --host) host=$2 ;; esac
      shift 2 ;;
    *) fail "$1: unknown option; see --help" ;;
  esac
done

if [ -z "$host" ]; then
  command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q GPU ||
    fail "no GPU: nvidia-smi is missing or lists none; --host BUILD tests this script without one"
  command -v nvcc >/dev/null || fail "nvcc is not on the path"
  command -v cmake >/dev/null || fail "cmake is not on the path"
fi

mkdir -p "$out" || fail "--out: cannot make $out"
results=$out/results.jsonl
: >"$results"

# step NAME LIMIT_S COMMAND...: runs it with its output in a log; lines of JSON go to the results.
step() {
  local name=$1 limit=$2 began=$SECONDS state=done log
  log=$out/$(echo "$name" | tr ' ' '-').log
  shift 2
  timeout "$limit" "$@" >"$log" 2>&1 || state=failed
  grep -h '^{' "$log" >>"$results"
  echo "{\"part\": \"step\", \"name\": \"$name\", \"state\": \"$state\", \"seconds\": $((SECONDS - began))}" >>"$results"
  echo "run.sh: $name: $state after $((SECONDS - began)) s" >&2
  if [ $state = failed ]; then tail -n 5 "$log" >&2; return 1; fi
}

left_out() {
  echo "{\"part\": \"step\", \"name\": \"$1\", \"state\": \"left out: $2\", \"seconds\": 0}" >>"$results"
  echo "run.sh: $1: left out: $2" >&2
}

# The functions below run in a bash of their own, under timeout.

build_for_gpu() {
  cmake -S "$root" -B "$root/build/gpu" -DCMAKE_BUILD_TYPE=Release -DPUFFERC_GPU_TESTS=ON -DPUFFERC_EXPERIMENTAL=ON \
    -DCMAKE_CUDA_ARCHITECTURES="$arch-real" -DPUFFERC_BOX2D=OFF -DPUFFERC_RAYLIB=OFF -DPUFFERC_BENCHMARKS=OFF \
    -DPUFFERC_EXAMPLES=OFF && cmake --build "$root/build/gpu" -j "$(nproc)" --target gpu_bench gpu_everywhere
}

# Lines of play_device.cpp as JSON.
hashes() {
  set -o pipefail
  "$everywhere" "$root/tests/golden" | sed -E \
    's/^(\w+) got (\w+) expected (\w+)$/{"part": "hash", "game": "\1", "got": "\2", "expected": "\3"}/'
}

sanitize() {
  compute-sanitizer --error-exitcode 1 "$bench" envs 0 0.00002 >/dev/null &&
    compute-sanitizer --error-exitcode 1 "$bench" advantage 0 0.0005 >/dev/null
}

export -f build_for_gpu hashes sanitize

has_torch_with_cuda() { python3 -c 'import torch, pufferc._cuda as c; assert torch.cuda.is_available() and c.devices()[0]'; }

if [ -n "$host" ]; then
  bench=$host/tests/gpu/host_bench everywhere=$host/tests/everywhere/everywhere_device seconds=0 scale=0.0001
  [ -x "$bench" ] && [ -x "$everywhere" ] || fail "--host: $host has no host_bench and everywhere_device"
  echo '{"part": "machine", "gpu": "none (host stand-in)", "driver": "none", "cuda": "none"}' >>"$results"
else
  bench=$root/build/gpu/tests/gpu/gpu_bench everywhere=$root/build/gpu/tests/gpu/gpu_everywhere seconds=0.2 scale=1
  nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | head -n 1 | sed -E \
    "s/^(.*), (.*)$/{\"part\": \"machine\", \"gpu\": \"\1\", \"driver\": \"\2\", \"cuda\": \"$(nvcc --version |
      sed -nE 's/.*release ([0-9.]+).*/\1/p')\"}/" >>"$results"
  export root arch
  step "build" 170 bash -c build_for_gpu || { python3 "$root/tests/gpu/report.py" "$results"; exit 1; }
fi

export root bench everywhere
step "hashes" 60 bash -c hashes
if [ -z "$host" ] && command -v compute-sanitizer >/dev/null; then
  step "compute-sanitizer" 60 bash -c sanitize
else
  left_out "compute-sanitizer" "not here"
fi
step "advantage" 40 "$bench" advantage "$seconds" "$scale"
step "games" 60 "$bench" envs "$seconds" "$scale"
if [ -z "$host" ] && has_torch_with_cuda 2>/dev/null; then
  step "tests of kernels" 60 python3 -m pytest -q "$root/tests/python/test_gpu_kernels.py" "$root/tests/python/test_device.py"
  step "solve" 60 python3 "$root/tests/gpu/train.py" solve
  step "speed" 30 python3 "$root/tests/gpu/train.py" speed
else
  left_out "training" "needs torch with CUDA and pufferc with its CUDA module"
fi

python3 "$root/tests/gpu/report.py" "$results" --json "$out/results.json" ${host:+--no-targets} | tee "$out/table.txt"
exit "${PIPESTATUS[0]}"
