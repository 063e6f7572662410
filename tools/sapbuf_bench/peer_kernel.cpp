// What the kernel hands over: a pipe, and a Unix socket that keeps messages apart.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <vector>

#include "hand_over.hpp"

namespace sapbuf::bench {
namespace {

class KernelPeer : public Peer {
 public:
  void produce(const Load& load, const Ready& begin) override {
    std::vector<std::byte> message(load.message_bytes);
    begin();
    for (std::uint64_t number = 0; number < load.messages; ++number) {
      fill(message.data(), message.size(), number);
      if (::write(ends_[1], message.data(), message.size()) != static_cast<ssize_t>(message.size())) {
        throw std::runtime_error("a message was not written");
      }
    }
  }

  std::uint64_t consume(const Load& load, const Ready& ready) override {
    std::vector<std::byte> messages(64 << 10);
    ready();
    std::uint64_t sum = 0;
    for (std::uint64_t left = load.messages * load.producers * load.message_bytes; left > 0;) {
      // A pipe gives as many whole messages as it has (their size divides the buffer's), a socket one.
      const ssize_t bytes = ::read(ends_[0], messages.data(), messages.size());
      if (bytes <= 0) throw std::runtime_error("nothing to read");
      sum += sum_of(messages.data(), static_cast<std::size_t>(bytes));
      left -= static_cast<std::uint64_t>(bytes);
    }
    return sum;
  }

  void clean_up() noexcept override {
    for (int& end : ends_) {
      if (end >= 0) ::close(end);
      end = -1;
    }
  }

 protected:
  int ends_[2] = {-1, -1};  // to read from, to write to
};

class PipePeer final : public KernelPeer {
 public:
  void prepare(const Load&) override {
    if (::pipe(ends_) != 0) throw std::runtime_error("no pipe");
    ::fcntl(ends_[0], F_SETPIPE_SZ, 1 << 20);  // as large as one may ask for
  }
};

class SocketPeer final : public KernelPeer {
 public:
  void prepare(const Load&) override {
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends_) != 0) throw std::runtime_error("no Unix socket");
  }
};

}  // namespace

std::unique_ptr<Peer> make_pipe() { return std::make_unique<PipePeer>(); }
std::unique_ptr<Peer> make_unix_socket() { return std::make_unique<SocketPeer>(); }

}  // namespace sapbuf::bench
