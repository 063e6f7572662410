// Text that came from others (names of segments, participants and programs), on its way to a terminal or a log.
#pragma once

#include <string>
#include <string_view>

#include <sapbuf/abi.hpp>

SAPBUF_BEGIN

// One line that steers no terminal and hides nothing: control characters, bytes that are not UTF-8, and characters that
// cannot be seen or that turn the direction of writing are escaped (\n, \x1b, \u{202e}). Everything else stays as it
// is, backslashes too: what is printable already comes out unchanged.
std::string printable(std::string_view text);

// `text` as one operand, in printable form, for a command line that people paste into a shell: bare where that is safe,
// quoted otherwise, and behind "--" where it would be taken for an option. No POSIX shell runs anything in it. Where a
// character must be escaped, it takes a shell that knows $'...' (bash, ksh, zsh) to mean the same text; in others it
// means another one.
std::string shell_operand(std::string_view text);

SAPBUF_END
