// sapbuf map: the maps of a segment, and what is in them.
#include "sapbuf/map_commands.hpp"

namespace sapbuf::tools {

void add_map(CLI::App& app, Action& chosen) {
  CLI::App* map = app.add_subcommand("map", "Maps of keys and values: make, list and remove them; get, put and watch");
  map->require_subcommand(1);
  map->footer("Keys are the bytes of the argument. 'sapbuf status SEGMENT/MAP' shows who reads and writes a map.");
  add_map_create(*map, chosen);
  add_map_ls(*map, chosen);
  add_map_get(*map, chosen);
  add_map_put(*map, chosen);
  add_map_rm(*map, chosen);
  add_map_watch(*map, chosen);
  add_map_export(*map, chosen);
  add_map_import(*map, chosen);
}

}  // namespace sapbuf::tools
