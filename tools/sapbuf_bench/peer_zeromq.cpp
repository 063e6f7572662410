// ZeroMQ: PUSH and PULL over ipc://, with its own batching.
#include <unistd.h>
#include <zmq.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "hand_over.hpp"
#include "shared_memory.hpp"

namespace sapbuf::bench {
namespace {

// A context with one socket in it. Made after the fork: contexts have threads.
class Socket {
 public:
  Socket(int type, const std::string& address) : context_(::zmq_ctx_new()), socket_(::zmq_socket(context_, type)) {
    const int failed =
        type == ZMQ_PULL ? ::zmq_bind(socket_, address.c_str()) : ::zmq_connect(socket_, address.c_str());
    if (failed != 0) throw std::runtime_error(std::string("ZeroMQ: ") + ::zmq_strerror(::zmq_errno()));
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  // Waits until all is sent.
  ~Socket() {
    ::zmq_close(socket_);
    ::zmq_ctx_term(context_);
  }
  void* get() const noexcept { return socket_; }

 private:
  void* context_;
  void* socket_;
};

class ZeroMqPeer final : public Peer {
 public:
  void prepare(const Load&) override {
    path_ = "/tmp/sapbuf-bench." + std::to_string(::getpid());
    memory_ = SharedMemory{4096};
    new (memory_.get()) std::atomic<bool>{false};
  }

  void produce(const Load& load, const Ready& begin) override {
    const Socket socket{ZMQ_PUSH, "ipc://" + path_};
    std::vector<std::byte> message(load.message_bytes);
    begin();
    for (std::uint64_t number = 0; number < load.messages; ++number) {
      fill(message.data(), message.size(), number);
      if (::zmq_send(socket.get(), message.data(), message.size(), 0) < 0) throw std::runtime_error("zmq_send failed");
    }
    // A consumer that is behind may lose what it has not read yet of a connection that is closed.
    while (!all_read().load(std::memory_order_acquire)) ::usleep(100);
  }

  std::uint64_t consume(const Load& load, const Ready& ready) override {
    const Socket socket{ZMQ_PULL, "ipc://" + path_};
    std::vector<std::byte> message(load.message_bytes);
    ready();
    std::uint64_t sum = 0;
    for (std::uint64_t seen = 0; seen < load.messages * load.producers; ++seen) {
      const int bytes = ::zmq_recv(socket.get(), message.data(), message.size(), 0);
      if (bytes < 0) throw std::runtime_error("zmq_recv failed");
      sum += sum_of(message.data(), static_cast<std::size_t>(bytes));
    }
    all_read().store(true, std::memory_order_release);
    return sum;
  }

  void clean_up() noexcept override {
    ::unlink(path_.c_str());
    memory_ = {};
  }

 private:
  std::atomic<bool>& all_read() const noexcept { return *reinterpret_cast<std::atomic<bool>*>(memory_.get()); }

  SharedMemory memory_;
  std::string path_;
};

}  // namespace

std::unique_ptr<Peer> make_zeromq() { return std::make_unique<ZeroMqPeer>(); }

}  // namespace sapbuf::bench
