#include "sapbuf_watchdog/service_manager.hpp"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

namespace sapbuf::tools {

namespace {

// After a sweep that was not completed, or could not be told of.
constexpr std::chrono::milliseconds kTellAgainAfter{100};
// Pings in the time after which the manager takes the daemon for stuck: a sweep takes some time itself.
constexpr int kPingsInTime = 3;

std::optional<std::uint64_t> number_in(const char* variable) {
  const char* const text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  std::uint64_t number = 0;
  const char* const end = text + std::strlen(text);
  const auto [parsed, error] = std::from_chars(text, end, number);
  if (error != std::errc{} || parsed != end) return std::nullopt;
  return number;
}

std::chrono::microseconds time_between_pings() {
  const auto limit = number_in("WATCHDOG_USEC");
  const bool meant_for_another =
      std::getenv("WATCHDOG_PID") != nullptr && number_in("WATCHDOG_PID") != static_cast<std::uint64_t>(::getpid());
  if (!limit || meant_for_another) return std::chrono::microseconds{0};
  return std::chrono::microseconds{*limit / kPingsInTime};
}

}  // namespace

ServiceManager::ServiceManager() {
  const char* const address = std::getenv("NOTIFY_SOCKET");
  if (address == nullptr || *address == '\0') return;
  connect(address);
  if (!socket_) return;
  ping_every_ = time_between_pings();
  next_sweep_ = Clock::now();
}

void ServiceManager::connect(std::string address) {
  const bool is_abstract = address.front() == '@';
  // The address of an abstract socket ends with its last byte; a path ends with a zero byte.
  const std::size_t bytes = address.size() + (is_abstract ? 0 : 1);
  if ((!is_abstract && address.front() != '/') || bytes > sizeof address_.sun_path) {
    spdlog::warn("NOTIFY_SOCKET '{}' is no Unix socket: the service manager is told nothing", address);
    return;
  }
  address_.sun_family = AF_UNIX;
  if (is_abstract) address.front() = '\0';
  std::memcpy(address_.sun_path, address.data(), address.size());
  address_bytes_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + bytes);
  // Opened once: it must be there when descriptors have run out.
  socket_ = Descriptor{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  if (!socket_) spdlog::warn("no socket for the service manager: {}", std::strerror(errno));
}

void ServiceManager::swept(bool completed, const std::string& status) {
  const std::string what = ready_told_ ? "WATCHDOG=1" : "READY=1";
  if (!completed || !send(what + "\nSTATUS=" + status)) {
    next_sweep_ = Clock::now() + kTellAgainAfter;
    return;
  }
  ready_told_ = true;
  next_sweep_ = ping_every_.count() == 0 ? Clock::time_point::max() : Clock::now() + ping_every_;
}

void ServiceManager::stopping() { send("STOPPING=1"); }

// Never waits: a manager that does not read must not keep the daemon from its work.
bool ServiceManager::send(const std::string& message) {
  if (!socket_) return false;
  const auto* const to = reinterpret_cast<const sockaddr*>(&address_);
  if (::sendto(socket_.get(), message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL, to, address_bytes_) >= 0) {
    trouble_told_ = false;
    return true;
  }
  if (!trouble_told_) spdlog::warn("cannot reach the service manager: {}", std::strerror(errno));
  trouble_told_ = true;
  return false;
}

}  // namespace sapbuf::tools
