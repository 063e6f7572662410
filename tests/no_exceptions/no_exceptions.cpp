// A program that is built without exceptions: it makes a stream, writes and reads, and is told of what does not work. Says
// what went wrong, and where.
#include <unistd.h>

#include <cstdio>
#include <sapbuf/sapbuf.hpp>
#include <string>

namespace {

int failures = 0;

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", what);
  ++failures;
}

void try_stream(const sapbuf::Segment& segment) {
  using namespace std::chrono_literals;
  std::error_code error;
  const auto stream = sapbuf::no_throw::create_stream(segment, "orders", {}, error);
  expect(stream && !error, "a stream is made");
  expect(!sapbuf::no_throw::create_stream(segment, "orders", {}, error) && error == sapbuf::Errc::exists,
         "a second one is not");
  expect(!sapbuf::no_throw::open_stream(segment, "none", error) && error == sapbuf::Errc::not_found,
         "one that is not there is not opened");
  auto reader = sapbuf::no_throw::attach_reader(*stream, {}, error);
  auto writer = sapbuf::no_throw::attach_writer(*stream, {}, error);
  expect(reader && writer && !error, "somebody attaches");
  expect(writer->write("text") == sapbuf::Status::ok, "a message is written");
  expect(sapbuf::no_throw::wait_for(*reader, 1s, error) && !error, "it comes");
  const auto range = sapbuf::no_throw::pin(*reader, error);
  std::string text;
  for (const sapbuf::Frame& frame : *range) text += frame.text();
  expect(text == "text", "it is read");
  expect(!sapbuf::no_throw::wait_for(*reader, 0s, error) && error == sapbuf::Errc::busy,
         "a reader does not wait while a range is alive");
}

}  // namespace

int main() {
  const std::string name = "test.no_exceptions." + std::to_string(::getpid());
  std::error_code error;
  expect(!sapbuf::no_throw::open(name, error) && error == sapbuf::Errc::not_found, "no segment is there yet");
  expect(!sapbuf::no_throw::create(name, {.slabs = 1}, error) && error == sapbuf::Errc::invalid_argument,
         "options that cannot work are refused");
  if (const auto segment = sapbuf::no_throw::create(name, {}, error)) {
    try_stream(*segment);
    expect(sapbuf::no_throw::remove(name, error) && !error, "it is removed");
  } else {
    std::fprintf(stderr, "no segment: %s\n", error.message().c_str());
    ++failures;
  }
  return failures == 0 ? 0 : 1;
}
