#!/usr/bin/env bash
# The README's first C++ code block is shm/examples/first_program.cpp, to the letter.
#   readme_test.sh SOURCE-DIRECTORY
set -euo pipefail

first_code_block() {
  awk '/^```cpp$/ { inside = 1; next } /^```$/ && inside { exit } inside' "$1"
}

diff <(first_code_block "$1/README.md") "$1/shm/examples/first_program.cpp"
