// A page that changes, over HTTP.
#pragma once

#include <functional>
#include <string>

namespace sapbuf::tools {

// Where to listen: an address and a port. "127.0.0.1:9464", "[::1]:9464", ":9464" (all addresses).
struct ListenAddress {
  std::string host;
  int port = 0;  // 0: one that is free
};
// Throws Failure (kUsage) if it is none.
ListenAddress parse_listen_address(const std::string& text);

// Serves /metrics, each time anew from `make_page`, which is never called twice at once, until a signal asks to stop. Throws
// Failure if it cannot listen there.
void serve_metrics(const ListenAddress& address, const std::function<std::string()>& make_page);

}  // namespace sapbuf::tools
