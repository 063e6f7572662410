// Takes what comes from a socket, and then what stands in a file, into adjacent buffers of a pool, in one call and without a
// copy, and writes it on from there.
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <vector>

#include <sapbuf/sapbuf.hpp>

namespace {

constexpr std::size_t kBytes = 10'000'000;

std::byte byte_at(std::size_t at) { return static_cast<std::byte>(at * 31 >> 4); }

void send(int socket) {
  std::vector<std::byte> all(kBytes);
  for (std::size_t at = 0; at < kBytes; ++at) all[at] = byte_at(at);
  for (std::size_t sent = 0; sent < kBytes;) {
    const ssize_t now = ::write(socket, all.data() + sent, kBytes - sent);
    if (now <= 0) return;
    sent += static_cast<std::size_t>(now);
  }
}

// The first `bytes` of a run.
std::vector<iovec> first_of(sapbuf::Run& run, std::size_t bytes) {
  std::vector<iovec> pieces;
  for (const iovec& piece : run.iovecs()) {
    if (bytes == 0) break;
    pieces.push_back({piece.iov_base, std::min(piece.iov_len, bytes)});
    bytes -= pieces.back().iov_len;
  }
  return pieces;
}

bool relay(sapbuf::PoolUser& user, int from, int to) {
  for (;;) {
    sapbuf::Run run = user.acquire_run(64);  // 64 x 64 KiB
    if (!run) return false;
    const ssize_t got = ::readv(from, run.iovecs().data(), static_cast<int>(run.iovecs().size()));
    if (got <= 0) return got == 0;
    // A file takes all of it at once; a socket may take less.
    const std::vector<iovec> pieces = first_of(run, static_cast<std::size_t>(got));
    if (::writev(to, pieces.data(), static_cast<int>(pieces.size())) != got) return false;
  }
}

struct Close {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

// Into a file, and from that into another one.
bool relay_twice(sapbuf::PoolUser& user, int socket, std::FILE* first, std::FILE* second) {
  if (!relay(user, socket, ::fileno(first))) return false;
  return ::lseek(::fileno(first), 0, SEEK_SET) == 0 && relay(user, ::fileno(first), ::fileno(second));
}

bool is_as_sent(std::FILE* file) {
  std::vector<std::byte> all(kBytes + 1);
  std::rewind(file);
  if (std::fread(all.data(), 1, all.size(), file) != kBytes) return false;
  for (std::size_t at = 0; at < kBytes; ++at) {
    if (all[at] != byte_at(at)) return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "relay";
  int sockets[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0) return 1;
  const pid_t sender = ::fork();
  if (sender == 0) {
    ::close(sockets[0]);
    send(sockets[1]);
    std::_Exit(0);
  }
  ::close(sockets[1]);

  const sapbuf::Segment segment = sapbuf::Segment::create(name, {.main_stream = false});
  const auto pool = sapbuf::Pool::create(segment, "blocks", {.buffer_bytes = 64 << 10, .count = 128});
  sapbuf::PoolUser user{pool, {.name = "relay"}};
  const File first{std::tmpfile()};
  const File second{std::tmpfile()};
  const bool relayed =
      first && second && relay_twice(user, sockets[0], first.get(), second.get()) && is_as_sent(second.get());
  ::waitpid(sender, nullptr, 0);
  sapbuf::Segment::remove(name);
  if (!relayed) {
    std::cerr << "not everything arrived as it was sent\n";
    return 1;
  }
  std::cout << kBytes << " bytes went from the socket through the pool into a file, and from that into another one\n";
}
