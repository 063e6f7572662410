#include "watchdog/daemon.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include <stdexcept>

namespace sapbuf::test {
namespace {

[[noreturn]] void execute(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), SAPBUF_WATCHDOG);
  std::vector<char*> words;
  for (std::string& argument : arguments) words.push_back(argument.data());
  words.push_back(nullptr);
  ::execv(words[0], words.data());
  throw std::runtime_error("cannot run " + arguments.front());
}

}  // namespace

void require(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what);
}

Daemon::Daemon(const std::vector<std::string>& arguments, const std::function<void()>& prepare)
    : log_(::memfd_create("watchdog", 0)), child_{[&](Link&) {
        ::dup2(log_, STDERR_FILENO);
        if (prepare) prepare();
        execute(arguments);
      }} {}

Daemon::~Daemon() { ::close(log_); }

std::string Daemon::messages() const {
  struct stat information {};
  ::fstat(log_, &information);
  std::string text(static_cast<std::size_t>(information.st_size), '\0');
  const ssize_t got = ::pread(log_, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

int Daemon::end() {
  ::kill(child_.pid(), SIGTERM);
  return child_.wait();
}

Child holder_of(const std::string& name, const std::string& participant) {
  return Child{[=](Link& link) {
    const Reader reader{Segment::open(name), {.name = participant}};
    link.say(1);
    link.hear();
  }};
}

void die_writing(const std::string& name, const std::string& participant, int committed) {
  Child child{[&](Link&) {
    Writer writer{Segment::open(name), {.name = participant}};
    for (int i = 0; i < committed; ++i) require(writer.write("message") == Status::ok, "not accepted");
    const Reservation open = writer.reserve(100);
    ::_exit(0);
  }};
  BOOST_TEST(child.wait() == 0);
}

}  // namespace sapbuf::test
