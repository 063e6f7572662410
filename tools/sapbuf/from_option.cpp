#include "sapbuf/from_option.hpp"

#include "common/command_line.hpp"

namespace sapbuf::tools {

void add_from(CLI::App& command, From& from) {
  add_choice<From>(command, "--from", from, {{"newest", From::newest}, {"oldest", From::oldest}},
                   "Begin with what comes from now on, or with what still stands in the stream", "oldest");
}

}  // namespace sapbuf::tools
