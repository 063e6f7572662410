#!/usr/bin/env bash
# The README's first code block in C++, and the first one in C, are shm/examples/first_program.cpp and .c, to the letter.
#   readme_test.sh SOURCE-DIRECTORY
set -euo pipefail

# first_code_block LANGUAGE
first_code_block() {
  awk -v fence="\`\`\`$1" '$0 == fence { inside = 1; next } /^```$/ && inside { exit } inside' "$readme"
}

readme=$1/README.md
diff <(first_code_block cpp) "$1/shm/examples/first_program.cpp"
diff <(first_code_block c) "$1/shm/examples/first_program.c"
