#include "sapbuf/metrics_server.hpp"

#include <fmt/format.h>
#include <httplib.h>
#include <netdb.h>
#include <spdlog/spdlog.h>

#include <cstring>
#include <mutex>
#include <thread>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/stop.hpp"

namespace sapbuf::tools {

namespace {

constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";
constexpr int kMostPort = 65535;
constexpr int kAnswerers = 4;  // a client that reads slowly keeps one busy

Failure cannot_listen(const ListenAddress& address, int error, const char* why) {
  return Failure{error == EACCES ? kPermission : kFailure,
                 fmt::format("cannot listen at {}:{}: {}", address.host, address.port, why)};
}

Failure cannot_listen(const ListenAddress& address) {
  const int error = errno;
  return cannot_listen(address, error, std::strerror(error));
}

// The server would say of a host that is none only that it cannot listen.
void check_host(const ListenAddress& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int result = ::getaddrinfo(address.host.c_str(), nullptr, &hints, &found);
  if (result == EAI_SYSTEM) throw cannot_listen(address);
  if (result != 0) throw cannot_listen(address, 0, ::gai_strerror(result));
  ::freeaddrinfo(found);
}

// A port that is just left may be taken, one that somebody listens at may not.
void take_alone(int socket) noexcept {
  const int yes = 1;
  static_cast<void>(setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes));
}

// Ends the server once a signal asks to stop.
class StopWatch {
 public:
  explicit StopWatch(httplib::Server& server) : watch_([this, &server] { watch(server); }) {}
  StopWatch(const StopWatch&) = delete;
  StopWatch& operator=(const StopWatch&) = delete;
  ~StopWatch() {
    over_.store(true);
    watch_.join();
  }

 private:
  void watch(httplib::Server& server) {
    while (!over_.load() && !stop_requested()) std::this_thread::sleep_for(kStopSlice);
    while (!over_.load()) {  // one that is not listening yet would not be stopped
      server.stop();
      std::this_thread::sleep_for(kStopSlice);
    }
  }

  std::atomic<bool> over_{false};
  std::thread watch_;
};

}  // namespace

ListenAddress parse_listen_address(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  const auto port = colon == std::string::npos ? std::nullopt : parse_count(std::string_view{text}.substr(colon + 1));
  if (!port || *port > kMostPort) {
    throw Failure(kUsage, fmt::format("--listen: '{}' is no ADDRESS:PORT, such as 127.0.0.1:9464", text));
  }
  std::string host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return {host.empty() ? "0.0.0.0" : host, static_cast<int>(*port)};
}

void serve_metrics(const ListenAddress& address, const std::function<std::string()>& make_page) {
  std::mutex one_at_a_time;
  httplib::Server server;
  server.new_task_queue = [] { return new httplib::ThreadPool(kAnswerers); };
  server.set_keep_alive_max_count(1);
  server.set_socket_options(take_alone);
  server.Get("/metrics", [&](const httplib::Request&, httplib::Response& response) {
    const std::lock_guard lock{one_at_a_time};
    response.set_content(make_page(), kMetricsType);
  });
  server.Get("/", [](const httplib::Request&, httplib::Response& response) {
    response.set_content("sapbuf: the metrics are at /metrics\n", "text/plain");
  });
  ListenAddress bound = address;
  check_host(address);
  if (address.port == 0) {
    bound.port = server.bind_to_any_port(address.host);
    if (bound.port < 0) throw cannot_listen(address);
  } else if (!server.bind_to_port(address.host, address.port)) {
    throw cannot_listen(address);
  }
  const bool is_ipv6 = bound.host.find(':') != std::string::npos;
  spdlog::info("metrics at http://{}:{}/metrics", is_ipv6 ? fmt::format("[{}]", bound.host) : bound.host, bound.port);
  const StopWatch watch{server};
  server.listen_after_bind();
}

}  // namespace sapbuf::tools
